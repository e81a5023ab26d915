"""Web nodes of one farm with one signing key, with none, and with keys of their own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from commander.signing import UNSIGNED
from nats_server import running_nats
from postgresql_server import running_server

from tests.farm import CommanderProcess, refusal

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(240)]


@pytest.fixture
def shared() -> Iterator[dict[str, str]]:
    """The settings that all nodes have."""
    with running_server() as postgresql, running_nats() as nats:
        yield {
            "COMMANDER_DATABASE_URL": postgresql.url(),
            "COMMANDER_NATS_URL": nats.url,
            "COMMANDER_TLS": "off",
        }


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def node(folder: Path, settings: dict[str, str]) -> CommanderProcess:
    folder.mkdir()
    return CommanderProcess(folder / "data", more=settings)


def start(commander: CommanderProcess, stack: ExitStack) -> None:
    commander.start()
    stack.callback(commander.kill)


def test_nodes_with_keys_of_their_own_do_not_run_together(
    shared: dict[str, str], stack: ExitStack, tmp_path: Path
) -> None:
    own = [node(tmp_path / name, shared | {"COMMANDER_CA_DIR": str(tmp_path / name / "ca")}) for name in ("1", "2")]
    without = node(tmp_path / "3", shared)
    start(own[0], stack)
    for refused in (own[1], without):
        sentence = refusal(refused)
        assert sentence.startswith("commander: Another web node of this farm has another key that signs playbooks")
        assert "COMMANDER_CA_DIR" in sentence
    copied = own[1].data_dir.parent / "ca" / "playbook.key"
    copied.write_bytes((tmp_path / "1" / "ca" / "playbook.key").read_bytes())
    start(own[1], stack)


def test_nodes_without_a_shared_folder_say_that_nothing_is_signed(
    shared: dict[str, str], stack: ExitStack, tmp_path: Path
) -> None:
    for name in ("1", "2"):
        commander = node(tmp_path / name, shared)
        start(commander, stack)
        assert UNSIGNED in commander.log.read_text()
