"""Messages as they travel. A golden file never changes its meaning: it stands for every version that is out there."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from protocol import asic_messages, command_messages, enrolment_messages, inbox_messages, messages, playbook_messages
from protocol.asic_messages import AsicLog, PoolState
from protocol.messages import CpuGpuLog, MinerState

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
TRAVEL_ALONE = {
    *("AsicLog", "AsicSpecs", "CpuGpuLog", "CpuGpuSpecs", "LogReport", "LogReceipt", "SentryWelcome", "Problem"),
    *("AsicReport", "AsicReceipt", "Adoption", "AdoptionAnswer"),
    *("Playbooks", "PlaybooksStatus", "OutputReport"),
    *("Commands", "CommandsStatus", "LadderSettings", "LadderEvents"),
    *("InboxItems", "Identity", "Enrolled"),
}
HOLDS_UNDECODED = {"LogReport", "AsicReport", "InboxItems"}
MODULES = (messages, asic_messages, playbook_messages, command_messages, enrolment_messages, inbox_messages)


def message(name: str) -> type[msgspec.Struct]:
    home = next(each for each in MODULES if hasattr(each, name))
    kind: type[msgspec.Struct] = getattr(home, name)
    return kind


def kind_of(path: Path) -> type[msgspec.Struct]:
    return message(path.stem.partition("-")[0])


def known(value: Any) -> Any:
    """Without what is unknown or empty, and times in one form: `null` and absent mean the same."""
    if isinstance(value, Mapping):
        return {key: known(each) for key, each in value.items() if each is not None and each != []}
    if isinstance(value, list):
        return [known(each) for each in value]
    return value.replace(".000Z", "Z") if isinstance(value, str) else value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_read_and_written_again_as_it_was(path: Path) -> None:
    read = msgspec.json.decode(path.read_bytes(), type=kind_of(path))
    assert known(json.loads(msgspec.json.encode(read))) == known(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_newer_version_adds_is_ignored(path: Path) -> None:
    newer = {**json.loads(path.read_bytes()), "added_later": {"by": ["a newer version"]}}
    read = msgspec.json.decode(json.dumps(newer), type=kind_of(path))
    assert read == msgspec.json.decode(path.read_bytes(), type=kind_of(path)) or path.stem in HOLDS_UNDECODED


def test_every_message_that_travels_alone_has_a_golden_file() -> None:
    assert {path.stem.partition("-")[0] for path in FILES} == TRAVEL_ALONE


@pytest.mark.parametrize("name", sorted(TRAVEL_ALONE - HOLDS_UNDECODED))
def test_a_golden_file_shows_every_field(name: str) -> None:
    shown = json.loads((GOLDEN / f"{name}.json").read_bytes())
    info = msgspec.inspect.type_info(message(name))
    assert list(missing(shown, info, name)) == []


def together(examples: list[Any]) -> dict[str, Any]:
    """All fields that any of these examples has."""
    merged: dict[str, Any] = {}
    for each in examples:
        for key, value in each.items() if isinstance(each, dict) else ():
            is_table = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = together([merged[key], value]) if is_table else value
    return merged


def missing(shown: Any, kind: msgspec.inspect.Type, where: str) -> Iterator[str]:
    """The fields of `kind` that no example in `shown` has."""
    match kind:
        case msgspec.inspect.UnionType():
            for each in kind.types:
                yield from missing(shown, each, where)
        case msgspec.inspect.ListType() if isinstance(shown, list):
            yield from missing(together(shown) or None, kind.item_type, f"{where}[]")
        case msgspec.inspect.StructType() if isinstance(shown, dict):
            for field in kind.fields:
                if shown.get(field.encode_name) is None:
                    yield f"{where}.{field.encode_name}"
                yield from missing(shown.get(field.encode_name), field.type, f"{where}.{field.encode_name}")


def test_a_state_that_a_newer_sentry_invents_reads_as_unknown() -> None:
    body = b'{"taken_at": "2026-11-20T12:00:00Z", "miners": [{"software": "xmrig", "state": "dreaming"}]}'
    log = msgspec.json.decode(body, type=CpuGpuLog)
    assert log.miners[0].state is MinerState.UNKNOWN
    asic = msgspec.json.decode(b'{"taken_at": "2026-11-20T12:00:00Z", "pools": [{"state": "asleep"}]}', type=AsicLog)
    assert asic.pools[0].state is PoolState.UNKNOWN


@pytest.mark.parametrize(
    "field", ['"gpus": [{}]', '"uptime_s": -1', '"cpu": {"temperature_c": "hot"}', '"taken_at": "2026-11-20T12:00:00"']
)
def test_what_can_not_be_meant_is_refused(field: str) -> None:
    body = f'{{"taken_at": "2026-11-20T12:00:00Z", {field}}}'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=CpuGpuLog)
