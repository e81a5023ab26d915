"""The table of coins and algorithms: nothing in it has two meanings."""

import pytest
from protocol.coins import ALGORITHMS, COINS, algorithm_name, coin_name, only_coin, pool_words, usual_coin


def test_no_name_or_ticker_stands_for_two_coins() -> None:
    words = [word for coin in COINS for word in {coin.name.casefold(), coin.ticker.casefold()}]
    assert len(words) == len(set(words))


def test_no_spelling_stands_for_two_algorithms() -> None:
    spellings = [word for each in ALGORITHMS for word in {each.name.casefold(), *each.spellings.split()}]
    assert len(spellings) == len(set(spellings))
    assert all(algorithm_name(word) is not None for word in spellings)


def test_every_coin_of_an_algorithm_is_in_the_table() -> None:
    for each in ALGORITHMS:
        assert set(each.coins) <= {coin.name for coin in COINS}
        assert each.coins or not each.sure
        assert {algorithm_name(word) for word in each.sure.split()} <= {each.name}


def test_no_word_in_the_name_of_a_pool_stands_for_two_coins() -> None:
    for each in ALGORITHMS:
        words = [word for coin in each.coins for word, name in pool_words(each.name).items() if name == coin]
        assert sorted(words) == sorted(pool_words(each.name))


@pytest.mark.parametrize(
    ("spelling", "name", "usual", "only"),
    [
        ("Autolykos V2", "autolykos2", "Ergo", "Ergo"),
        ("RandomX", "rx/0", "Monero", None),
        ("ETCHASH", "etchash", "Ethereum Classic", "Ethereum Classic"),
        ("sha256d", "SHA-256", "Bitcoin", None),
        ("EtHash", "ethash", None, None),
        ("nonsense", None, None, None),
    ],
)
def test_an_algorithm_is_known_by_every_spelling(
    spelling: str, name: str | None, usual: str | None, only: str | None
) -> None:
    assert (algorithm_name(spelling), usual_coin(spelling), only_coin(spelling)) == (name, usual, only)


def test_a_coin_is_known_by_name_and_ticker_in_any_case() -> None:
    assert [coin_name(text) for text in ("KAS", "kaspa", "Kaspa", "my coin")] == ["Kaspa", "Kaspa", "Kaspa", None]
