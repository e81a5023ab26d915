"""Recordings keep an answer's form, also its mistakes, and nothing of its owner."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentry_kit.errors import SentryError
from sentry_kit.recording import Masker, RecordedAnswer, Recording, read_recording, write_recording

WALLET = "bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh"
OWNERS = ("10.0.13.179", "192.168.1.7", "203.0.113.9", "50:d4:48:4b:86:78", "C4-08-28-00-A4-19", "e0e1a9000001",
          WALLET, "farmer.rig7", "hunter2", "S127200252001850", "QAHB01230908001X", "basement-miner")  # fmt: skip
ANSWER = (
    '{"STATUS":[{"STATUS":"S","Msg":"a\tb"}],"POOLS":[{"URL":"stratum+tcp://pool.example:3333","User":"farmer.rig7",'
    '"Pass":"hunter2","Stratum URL":"203.0.113.9"}{"POOL":1,"URL":"stratum+tcp://'
    + WALLET
    + '@192.168.1.7:3333","pool":"tcp://farmer.rig7@x.example",'
    '"User":"farmer.rig7"}],"IP":"10.0.13.179","MAC":"50:d4:48:4b:86:78","mac2":"C4-08-28-00-A4-19",'
    '"MACADDR":"e0e1a9000001","HBSerialNo":["QAHB01230908001X"],"0 SN":"S127200252001850","hostname":"basement-miner",'
    '"Miner":"30.0.1.3","Description":"FluxOS-2023-12.27-9bf070ee4408866329c93a70f2dfdc6248938aaa","fan1":5610}'
)


def test_what_identifies_the_owner_is_replaced_and_the_form_is_kept() -> None:
    masked = Masker().masked(ANSWER.encode())
    assert not [each for each in OWNERS if each in masked]
    for kept in (
        *("a\tb", '"Miner":"30.0.1.3"', "9bf070ee4408866329c93a70f2dfdc6248938aaa", '"fan1":5610'),
        *("pool.example:3333", '}{"POOL":1', '"User":"account.worker"', '"MAC":"02:00:5E:00:00:0'),
    ):
        assert kept in masked, kept


def test_the_same_text_becomes_the_same_word_in_all_answers() -> None:
    masker = Masker()
    first = masker.masked(b'{"user": "a.b", "ip": "10.0.0.1"}')
    second = masker.masked(b'{"worker": "x", "user": "a.b", "user2": "c.d", "gateway": "10.0.0.1"}')
    assert first == '{"user": "account.worker", "ip": "192.0.2.1"}'
    assert '"user": "account.worker"' in second
    assert '"gateway": "192.0.2.1"' in second


@given(st.binary(max_size=400))
def test_any_bytes_can_be_masked(answer: bytes) -> None:
    assert isinstance(Masker().masked(answer), str)


def test_a_recording_is_written_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "asic.json"
    recording = Recording(
        "asic", "antminer", "0.1.0", (RecordedAnswer("stats", "{}"), RecordedAnswer("pools", None, "x"))
    )
    write_recording(path, recording)
    assert read_recording(path) == recording
    with pytest.raises(SentryError, match="exists already"):
        write_recording(path, recording)
    with pytest.raises(SentryError, match="can't be written"):
        write_recording(tmp_path / "no" / "asic.json", recording)
    path.write_text("{}")
    with pytest.raises(SentryError, match="is not a recording"):
        read_recording(path)
