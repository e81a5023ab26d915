"""The table of models: found however a name is written, and rows of a plausible shape."""

import pytest
from asic_sentry import models
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.model_table import SOURCES
from protocol.coins import algorithm_name, coin_name


def test_a_models_name_is_found_however_it_is_written() -> None:
    for make, name in (("antminer", "s19pro"), ("Antminer", "S19 Pro"), ("ANTMINER", "S19-PRO")):
        row = models.find(make, name)
        assert row is not None
        assert (row.name, row.chips, row.coin) == ("S19 Pro", 114, "Bitcoin")


@pytest.mark.parametrize(
    ("make", "name", "algorithm"),
    [("Antminer", "S29 Hyd", "SHA-256"), ("Antminer", "KS9", "kHeavyHash"), ("Whatsminer", "M99", "SHA-256")],
)
def test_an_unknown_model_still_has_the_algorithm_of_its_series(make: str, name: str, algorithm: str) -> None:
    row = models.find(make, name)
    assert row is not None
    assert (row.algorithm, row.boards, row.chips, row.nominal_hashrate_hs) == (algorithm, None, None, None)


def test_no_model_stands_in_the_table_twice() -> None:
    names = [(models.plain(model.make), models.plain(model.name)) for model in models.MODELS]
    assert len(names) == len(set(names)) >= 150


def test_every_make_of_the_table_has_a_source_and_a_dialect() -> None:
    makes = {model.make for model in models.MODELS}
    assert makes == set(SOURCES)
    assert all(SOURCES.values())
    assert {make for dialect in DIALECTS for make in dialect.makes} <= makes


@pytest.mark.parametrize("model", models.MODELS, ids=lambda model: f"{model.make} {model.name}")
def test_a_row_has_figures_that_can_be(model: models.Model) -> None:
    assert 1 <= (model.boards or 1) <= 8
    assert 1 <= (model.chips or 1) <= 300
    assert 0 <= (model.fans or 0) <= 8
    assert 5 <= (model.nominal_power_w or 5) <= 12_000
    assert model.algorithm is not None
    assert algorithm_name(model.algorithm) is not None
    assert model.coin is not None
    assert coin_name(model.coin) == model.coin


@pytest.mark.parametrize("model", [model for model in models.MODELS if model.algorithm == "SHA-256"])
def test_a_bitcoin_model_needs_between_8_and_300_joules_per_terahash(model: models.Model) -> None:
    """A slip of a power of ten in a row would show."""
    efficiency = model.nominal_efficiency_j_per_h
    assert efficiency is None or 8 <= efficiency * 1e12 <= 300, model


@pytest.mark.parametrize(
    ("said", "makes"),
    [
        ("Antminer S19 Pro", {"Antminer"}),
        ("iceriver", {"IceRiver"}),
        ("KS5L", {"IceRiver"}),
        ("KS3", {"Antminer", "IceRiver"}),
        ("a toaster", set()),
    ],
)
def test_what_a_person_calls_an_asic_leads_to_its_makes(said: str, makes: set[str]) -> None:
    assert models.makes_of(said) == makes


def test_an_antminer_v9_mines_sha_256() -> None:
    row = models.find("Antminer", "V9")
    assert row is not None
    assert (row.algorithm, row.chips) == ("SHA-256", None)
