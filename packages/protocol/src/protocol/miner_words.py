"""A miner's state in a word, in one place, so that every page and program uses the same."""

from protocol.messages import MinerReading, MinerState, MinerTrouble

PROXY_NOTE = "A proxy: this hashrate is that of the miners behind it, and no total counts it."
_STATES = {
    MinerState.STARTING: "Starting",
    MinerState.MINING: "Mining",
    MinerState.STALLED: "Stalled",
    MinerState.STOPPED: "Stopped",
    MinerState.FAILED: "Failed",
    MinerState.API_SILENT: "API silent",
    MinerState.UNKNOWN: "Unknown",
}
_TROUBLES: dict[MinerTrouble | None, str] = {
    MinerTrouble.ACCESS_DENIED: "Wants a token",
    MinerTrouble.UNREADABLE: "Can't be read",
    MinerTrouble.NO_JOB: "No job from the pool",
}


def miner_word(miner: MinerReading) -> str:
    """Returns the word for its state, or for its trouble if that says more."""
    return _TROUBLES.get(miner.trouble, "") or _STATES[miner.state]


def has_word_for_trouble(miner: MinerReading) -> bool:
    """Returns whether its trouble says more than its state."""
    return miner.trouble in _TROUBLES


def miner_name(miner: MinerReading, others: list[MinerReading]) -> str:
    """Returns its software, with the port if `others` (which include it) has several of that software."""
    alike = [each for each in others if each.software == miner.software]
    return miner.software if len(alike) < 2 or miner.api_port is None else f"{miner.software} on port {miner.api_port}"
