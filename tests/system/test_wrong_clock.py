"""A farm whose commander once started with a wrong clock recovers by itself when the clock is right."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from authorities import older_authority
from sentry_kit import store

from tests.farm import PASSWORD, CommanderProcess, running_commander
from tests.sentry import SentryProcess, running_sentry

pytestmark = pytest.mark.system


def enrolled_before(sentry: SentryProcess, commander: CommanderProcess, ca_pem: str) -> None:
    """Enrols the sentry and gives it the authority's certificate of the wrong clock."""
    with commander.client(commander.api_key()) as people:
        token = str(people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()["token"])
    sentry.enroll(commander.url, token)
    with closing(store.open_store(sentry.store)) as db:
        db.execute("UPDATE enrolment SET ca_pem = ?", (ca_pem,))


def trusted_by(sentry: SentryProcess) -> str | None:
    with closing(store.open_store(sentry.store)) as db:
        enrolment = store.load_enrolment(db)
    return enrolment.ca_pem if enrolment else None


def a_farm(tmp_path: Path) -> None:
    """Makes the database of a farm: an authority without one is refused."""
    with running_commander(tmp_path):
        pass


def test_a_start_with_a_right_clock_heals_commander_and_sentry(tmp_path: Path) -> None:
    a_farm(tmp_path)
    older = older_authority(tmp_path / "data" / "tls", datetime.now(UTC) + timedelta(days=400))
    with running_commander(tmp_path) as commander:
        said = commander.log.read_text()
        assert "ca.pem is valid from" in said
        assert "It was renewed with the same key" in said
        assert "ca.pem is valid from" in settings_page(commander)
        sentry = SentryProcess(tmp_path / "sentry")
        enrolled_before(sentry, commander, older)
        with running_sentry(tmp_path / "sentry") as sentry:
            sentry.becomes("online", within_s=60)
            assert trusted_by(sentry) == commander.ca.read_text()


def test_a_damaged_authority_stops_the_commander_with_a_sentence(tmp_path: Path) -> None:
    a_farm(tmp_path)
    (tmp_path / "data" / "tls" / "ca.key").write_text("noise\n")
    done = CommanderProcess(tmp_path / "data").run("serve")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "ca.key, of the commander's CA, is damaged" in done.stderr


def settings_page(commander: CommanderProcess) -> str:
    with commander.client() as browser:
        login = {"password": PASSWORD, "next": "/settings"}
        return browser.post("/login", data=login, headers={"Origin": commander.url}, follow_redirects=True).text
