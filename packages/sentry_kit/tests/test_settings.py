import stat
from pathlib import Path

import msgspec
import pytest
from sentry_kit.errors import BadSetting, StorageError
from sentry_kit.settings import Password, Port, Seconds, prepare_data_dir, read_settings


class Example(msgspec.Struct, frozen=True):
    data_dir: Path = Path("somewhere")
    ui_port: Port = 8471
    ui_password: Password | None = None
    every_s: Seconds | None = None


def test_settings_that_are_not_given_keep_their_defaults() -> None:
    assert read_settings(Example, "X_", {"Y_UI_PORT": "1", "PATH": "/bin"}) == Example()


def test_settings_are_read_in_their_own_types() -> None:
    environ = {"X_UI_PORT": "9000", "X_EVERY_S": "2.5", "X_DATA_DIR": "/srv/data"}
    assert read_settings(Example, "X_", environ) == Example(Path("/srv/data"), 9000, every_s=2.5)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("X_UI_PORT", "many", "X_UI_PORT is “many”; expected a port from 1 to 65535."),
        ("X_UI_PORT", "0", "X_UI_PORT is “0”; expected a port from 1 to 65535."),
        ("X_UI_PORT", "", "X_UI_PORT is “”; expected a port from 1 to 65535."),
        ("X_EVERY_S", "0", "X_EVERY_S is “0”; expected a number of seconds from 1 to 3600."),
        ("X_EVERY_S", "nan", "X_EVERY_S is “nan”; expected a number of seconds from 1 to 3600."),
        ("X_COLOUR", "red", "X_COLOUR is not a setting; there are X_DATA_DIR, X_UI_PORT, X_UI_PASSWORD, X_EVERY_S."),
        (
            "X_UI_PASSWORD",
            "short",
            "X_UI_PASSWORD is not one that can be used; expected a password of at least 12 characters.",
        ),
    ],
)
def test_an_unreadable_setting_is_named_with_what_was_expected(name: str, value: str, sentence: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read_settings(Example, "X_", {name: value})
    assert str(caught.value) == sentence


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = prepare_data_dir(tmp_path / "deep" / "data")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_data_directory_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StorageError, match="can't be used"):
        prepare_data_dir(tmp_path / "data")


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_data_directory_that_others_may_change_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    with pytest.raises(StorageError, match=f"mode {mode:o}.*run chmod 700"):
        prepare_data_dir(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)
    assert prepare_data_dir(tmp_path / "data") == tmp_path / "data"
