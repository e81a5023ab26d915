"""The wallet guard: what differs is an alarm, what is not known is none."""

import pytest
from commander.readings.traits import accounts_of
from commander.readings.wallet_guard import Difference, differences, same_user, wallet_words
from protocol.messages import AlgorithmReading, MinerReading, MinerState
from protocol.playbook_messages import PlaybookWork, WalletEvidence
from protocol.pools import same_pool

WALLET = "44AFFq5kSiGBoZ4NMDwYtN18obc8"
WORK = PlaybookWork(algorithm="rx/0", coin="Monero", pool="stratum+ssl://Pool.example:443", user=WALLET)


def told(pool: str | None, user: str | None) -> list[Difference]:
    reading = AlgorithmReading(algorithm="rx/0", pool=pool, user=user)
    miner = MinerReading(software="xmrig", state=MinerState.MINING, algorithms=[reading])
    return differences([WORK], accounts_of(miner))


@pytest.mark.parametrize(
    "pool",
    [
        None,
        "",
        "pool.example:443",
        "POOL.example:443",
        "stratum+tcp://pool.example:443",
        "pool.example",
        "203.0.113.7:443",
    ],
)
def test_another_spelling_of_the_pool_is_no_alarm(pool: str | None) -> None:
    assert told(pool, WALLET) == []


@pytest.mark.parametrize(
    "user",
    [
        None,
        "",
        WALLET,
        f"{WALLET}.rig-07",
        f"{WALLET}+1000",
        f"{WALLET}/rig",
        WALLET.lower(),
        "44AFFq…obc8",
        "44AF***c8",
    ],
)
def test_another_spelling_of_the_wallet_is_no_alarm(user: str | None) -> None:
    assert told("pool.example:443", user) == []


@pytest.mark.parametrize(
    "pool", ["evil.example:443", "pool.example:444", "pool.example.evil:443", "ssl://x@evil.example:443"]
)
def test_another_pool_is_an_alarm(pool: str) -> None:
    assert told(pool, WALLET) == [Difference("pool", pool, "stratum+ssl://Pool.example:443")]


@pytest.mark.parametrize("user", ["48evil", f"x{WALLET}", f"{WALLET}x", "rig-07"])
def test_another_wallet_is_an_alarm(user: str) -> None:
    assert told(None, user) == [Difference("wallet", user, WALLET)]


def test_prefixes_may_be_left_out_on_either_side() -> None:
    assert same_user("qpauq.rig", "kaspa:qpauq")
    assert same_user("kaspa:qpauq", "kaspa:qpauq")
    assert same_user("kaspa:qpauq.rig", "qpauq")
    assert not same_user("kaspa:other", "kaspa:qpauq")


def test_addresses_are_compared_with_addresses() -> None:
    assert same_pool("[2001:db8::1]:443", "stratum+tcp://[2001:db8::1]:443")
    assert not same_pool("192.0.2.1:443", "192.0.2.2:443")
    assert not same_pool("192.0.2.1:444", "pool.example:443")


def test_either_coin_of_two_will_do_and_a_playbook_that_says_nothing_alarms_nobody() -> None:
    other = PlaybookWork(pool="b.example:1", user="other")
    readings = [AlgorithmReading(algorithm="x", pool="b.example:1", user="other")]
    miner = accounts_of(MinerReading(software="x", state=MinerState.MINING, algorithms=readings))
    assert differences([WORK, other], miner) == []
    assert differences([PlaybookWork(pool="b.example:1")], miner) == []
    assert differences([PlaybookWork()], miner) == []
    assert len(differences([WORK], miner)) == 2


SILENT = accounts_of(
    MinerReading(software="xmrig", state=MinerState.MINING, algorithms=[AlgorithmReading(algorithm="rx/0")])
)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (None, "Not reported by the software."),
        (WalletEvidence.UNKNOWN, "Not reported by the software."),
        (WalletEvidence.ARGUMENTS, "The arguments of its process have the playbook's wallet"),
        (WalletEvidence.SCRIPT, "The script that started it has the playbook's wallet"),
    ],
)
def test_a_wallet_that_the_software_does_not_report_is_said_to_be_so(
    evidence: WalletEvidence | None, words: str
) -> None:
    assert words in wallet_words([WORK], SILENT, evidence)
    assert differences([WORK], SILENT, evidence) == []


def test_a_wallet_that_is_nowhere_in_what_runs_is_an_alarm() -> None:
    assert differences([WORK], SILENT, WalletEvidence.NEITHER) == [Difference("wallet", None, WALLET)]
    assert "in neither its process nor its script" in wallet_words([WORK], SILENT, WalletEvidence.NEITHER)


def test_what_the_software_reports_comes_before_any_evidence() -> None:
    for user, words in ((WALLET, "the same wallet"), ("48evil", "another wallet")):
        readings = [AlgorithmReading(algorithm="rx/0", user=user)]
        miner = accounts_of(MinerReading(software="x", state=MinerState.MINING, algorithms=readings))
        assert words in wallet_words([WORK], miner, WalletEvidence.NEITHER)
        assert all(each.reported for each in differences([WORK], miner, WalletEvidence.NEITHER))


def test_nothing_is_said_before_it_mines_or_where_nobody_is_named() -> None:
    starting = accounts_of(MinerReading(software="xmrig", state=MinerState.STARTING))
    assert wallet_words([WORK], starting, WalletEvidence.SCRIPT) == ""
    assert wallet_words([PlaybookWork(algorithm="rx/0")], SILENT, None) == ""
