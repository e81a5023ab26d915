"""Secrets at rest: sealed by a key that backups contain and commanders share."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from commander.backup.make import backup
from commander.backup.restore import restore
from commander.sealing import Sealer, SecretsUnreadable
from commander.settings import Settings
from commander_farm import Farm, on_sqlite, running
from msgspec.structs import replace

CHANNELS = "/api/v1/notification-channels"


@pytest.fixture
def here(settings: Settings) -> Settings:
    return settings


@on_sqlite
def test_secrets_are_sealed_each_time_in_another_way(here: Settings) -> None:
    sealer = Sealer(here)
    first, second = sealer.seal({"token": "tk_secret"}), sealer.seal({"token": "tk_secret"})
    assert first != second
    assert b"secret" not in first + second
    assert Sealer(here).unseal(first) == Sealer(here).unseal(second) == {"token": "tk_secret"}
    assert (sealer.seal({}), sealer.unseal(b"")) == (b"", {})


@on_sqlite
async def test_a_channel_waits_for_the_key_without_blocking_the_commander(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal, sealed_apart = Sealer.seal, list[bool]()

    def watched(sealer: Sealer, values: dict[str, str]) -> bytes:
        sealed_apart.append(asyncio._get_running_loop() is None)
        return seal(sealer, values)

    monkeypatch.setattr(Sealer, "seal", watched)
    body = {"name": "phone", "kind": "ntfy", "settings": {"topic": "farm", "token": "tk_secret"}}
    assert (await farm.client.post(CHANNELS, json=body, headers=farm.auth)).status_code == 201
    assert sealed_apart == [True], "in a thread that runs no event loop"


@on_sqlite
@pytest.mark.parametrize("place", [0, 5, 20, -1])
def test_what_was_changed_is_not_read(here: Settings, place: int) -> None:
    sealed = bytearray(Sealer(here).seal({"token": "tk_secret"}))
    sealed[place] ^= 1
    with pytest.raises(SecretsUnreadable):
        Sealer(here).unseal(bytes(sealed))


@on_sqlite
def test_without_the_key_nothing_is_read_and_no_other_key_is_made(here: Settings) -> None:
    sealed = Sealer(here).seal({"token": "tk_secret"})
    key = here.data_dir / "tls" / "secrets.key"
    key.unlink()
    with pytest.raises(SecretsUnreadable, match=r"secrets\.key is not the key"):
        Sealer(here).unseal(sealed)
    assert not key.exists()


@on_sqlite
def test_commanders_with_one_ca_share_the_key(here: Settings, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    first, second = (replace(here, data_dir=tmp_path / name, ca_dir=shared) for name in ("a", "b"))
    Sealer(first).prepare()
    assert (shared / "secrets.key").stat().st_mode & 0o777 == 0o600
    assert Sealer(second).unseal(Sealer(first).seal({"token": "x"})) == {"token": "x"}


@on_sqlite
async def test_a_backup_brings_channels_with_their_secrets(here: Settings, tmp_path: Path) -> None:
    body = {"name": "phone", "kind": "ntfy", "settings": {"topic": "farm", "token": "tk_secret"}}
    async with running(here) as client:
        farm = Farm(client, here)
        await farm.make_key()
        assert (await client.post(CHANNELS, json=body, headers=farm.auth)).status_code == 201
    backup(here, tmp_path / "farm.backup")
    other = replace(here, data_dir=tmp_path / "other", database_url=f"sqlite:///{tmp_path / 'other' / 'commander.db'}")
    await asyncio.to_thread(restore, other, tmp_path / "farm.backup", force=False)
    with sqlite3.connect(tmp_path / "other" / "commander.db") as connection:
        (sealed,) = connection.execute("SELECT secrets FROM notification_channels").fetchone()
    connection.close()
    assert Sealer(other).unseal(sealed) == {"token": "tk_secret"}
