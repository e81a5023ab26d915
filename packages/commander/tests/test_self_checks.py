"""The commander's checks of itself: its certificate, and channels that accept nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from commander import certificates
from commander.db import Database
from commander.incidents import self_checks
from commander.incidents.self_checks import SelfChecks, certificate_problem
from commander.jobs.loop import set_due
from commander.notifications import channel_store, delivery_store
from commander.notifications.domain import Wishes
from commander.notifications.heartbeat import ROUNDS
from commander.notifications.tables import notifications
from commander.raw_logs.tables import dead_letters
from commander.settings import Settings, TlsMode
from commander.tls import prepare_tls
from commander_farm import on_sqlite

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path, public_url="https://commander.lan:8443")
    prepare_tls(settings, now=NOW)
    return settings


@pytest.mark.parametrize(
    ("days", "problem"),
    [
        pytest.param(0, "", id="new"),
        pytest.param(337, "", id="to be renewed today"),
        pytest.param(340, "The commander's certificate was not renewed: it ends in 56 days", id="overdue"),
        pytest.param(398, "The commander's certificate was not renewed: it has ended", id="over"),
    ],
)
def test_a_certificate_that_is_not_renewed(own: Settings, days: int, problem: str) -> None:
    found = certificate_problem(own, NOW + timedelta(days=days))
    assert found.rpartition(" it ")[0] == problem.rpartition(" it ")[0]
    assert ("ended" in found) is ("ended" in problem)


def test_a_certificate_of_somebody_else_is_told_two_weeks_before_its_end(own: Settings) -> None:
    path = own.data_dir / "tls" / "server.pem"
    files = msgspec.structs.replace(own, tls=TlsMode.FILES, tls_cert=path, tls_key=path)
    certificate = certificates.read_certificate(path.read_bytes())
    assert certificate is not None
    ends_at = certificate.not_valid_after_utc
    assert certificate_problem(files, ends_at - timedelta(days=15)) == ""
    sentence = "The certificate of COMMANDER_TLS_CERT must be renewed: it"
    assert certificate_problem(files, ends_at - timedelta(days=13, hours=1)) == f"{sentence} ends in 13 days"
    assert certificate_problem(files, ends_at - timedelta(hours=1)) == f"{sentence} ends within two days"
    assert certificate_problem(files, ends_at + timedelta(hours=1)) == f"{sentence} has ended"
    assert certificate_problem(msgspec.structs.replace(own, tls=TlsMode.OFF), ends_at) == ""


def test_a_file_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert certificate_problem(Settings(data_dir=tmp_path), NOW) == ""


@on_sqlite
@pytest.mark.parametrize(
    ("attempts", "age_min", "error", "fails"),
    [
        pytest.param(3, 20, "it does not answer", True, id="for twenty minutes"),
        pytest.param(3, 10, "it does not answer", False, id="for ten minutes"),
        pytest.param(0, 20, "", False, id="held by quiet hours"),
    ],
)
async def test_a_channel_that_accepts_nothing(
    database: Database, attempts: int, age_min: int, error: str, fails: bool
) -> None:
    channel = {"name": "phone", "kind": "webhook", "settings": b"{}", "secrets": b"", "is_enabled": True}
    channel |= {"wishes": msgspec.json.encode(Wishes()), "last_error": error}
    async with database.transaction() as db:
        channel_id = await channel_store.insert_channel(db, channel)
        message = {"channel_id": channel_id, "incident_id": 1, "step": 1, "event": "opened", "state": "waiting"}
        message |= {"is_escalation": False, "is_held": False, "attempts": attempts, "error": error, "body": b"{}"}
        made_at = NOW - timedelta(minutes=age_min)
        await db.execute(sa.insert(notifications).values(message | {"due_at": NOW, "made_at": made_at}))
        found = await delivery_store.failing_channels(db, made_before=NOW - timedelta(minutes=15))
    assert found == ({channel_id: "phone"} if fails else {})


@on_sqlite
@pytest.mark.parametrize(
    ("refused_min", "sent_min", "fails"),
    [
        pytest.param(20, None, True, id="never accepted any"),
        pytest.param(20, 40, True, id="accepted earlier ones"),
        pytest.param(20, 5, False, id="accepted a later one"),
        pytest.param(10, None, False, id="for ten minutes"),
    ],
)
async def test_a_channel_that_refuses_every_message(
    database: Database, refused_min: int, sent_min: int | None, fails: bool
) -> None:
    channel = {"name": "phone", "kind": "webhook", "settings": b"{}", "secrets": b"", "is_enabled": True}
    channel |= {"wishes": msgspec.json.encode(Wishes()), "last_error": "the message is refused"}
    channel |= {"last_sent_at": None if sent_min is None else NOW - timedelta(minutes=sent_min)}
    made_at = NOW - timedelta(minutes=refused_min)
    message = {"incident_id": 1, "step": 1, "event": "opened", "state": "failed", "is_escalation": False}
    message |= {"is_held": False, "attempts": 1, "error": "the message is refused", "body": b"{}"}
    message |= {"due_at": made_at, "made_at": made_at, "finished_at": made_at}
    async with database.transaction() as db:
        channel_id = await channel_store.insert_channel(db, channel)
        await db.execute(sa.insert(notifications).values(message | {"channel_id": channel_id}))
        found = await delivery_store.failing_channels(db, made_before=NOW - timedelta(minutes=15))
    assert found == ({channel_id: "phone"} if fails else {})


@on_sqlite
@pytest.mark.parametrize(
    ("name", "late_min", "problem"),
    [
        pytest.param("roll-up", 16, "The commander's jobs are late: roll-up", id="late"),
        pytest.param("roll-up", 14, "", id="a little late"),
        pytest.param(ROUNDS, 60, "", id="rounds of the rules, which the heartbeat tells of"),
    ],
)
async def test_jobs_that_are_late(
    database: Database, own: Settings, monkeypatch: pytest.MonkeyPatch, name: str, late_min: int, problem: str
) -> None:
    monkeypatch.setattr(self_checks, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(self_checks, "DISK_LEFT", 0.0)
    async with database.transaction() as db:
        await set_due(db, name, NOW - timedelta(minutes=late_min))
    assert await SelfChecks(database, own).problems(NOW) == ({"jobs": problem} if problem else {})


@on_sqlite
async def test_a_full_disk_and_a_slow_database(
    database: Database, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_checks, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(self_checks, "DISK_LEFT", 1.1)
    monkeypatch.setattr(self_checks, "SLOW_S", -1.0)
    found = await SelfChecks(database, own).problems(NOW)
    assert set(found) == {"disk", "database"}
    assert found["disk"].startswith("The commander's disk is nearly full: ")


@on_sqlite
@pytest.mark.parametrize(("hours", "problem"), [(23, "1 log of the last day could not be stored"), (25, "")])
async def test_logs_that_could_not_be_stored(
    database: Database, own: Settings, monkeypatch: pytest.MonkeyPatch, hours: int, problem: str
) -> None:
    monkeypatch.setattr(self_checks, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(self_checks, "DISK_LEFT", 0.0)
    async with database.transaction() as db:
        letter = {"put_aside_at": NOW - timedelta(hours=hours), "subject": "logs", "reason": "too large", "body": b""}
        await db.execute(sa.insert(dead_letters).values(letter))
    assert await SelfChecks(database, own).problems(NOW) == ({"dead_letters": problem} if problem else {})
