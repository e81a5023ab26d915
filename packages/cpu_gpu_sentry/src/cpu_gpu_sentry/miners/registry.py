"""The mining software that can be read. Adding one is its parser's file and one entry here."""

from dataclasses import dataclass

from cpu_gpu_sentry.miners import (
    bminer,
    bzminer,
    ccminer,
    claymore,
    gminer,
    lolminer,
    miniz,
    nanominer,
    nbminer,
    onezerominer,
    rigel,
    srbminer,
    teamredminer,
    trex,
    wildrig,
    xmrig,
    xmrig_proxy,
)
from cpu_gpu_sentry.miners.parsing import Parser
from cpu_gpu_sentry.miners.questions import Line, Question, json_rpc, sgminer, word


@dataclass(frozen=True, slots=True)
class Software:
    """`parse` gets the answers in the order of the questions; the optional ones may be missing.

    `keys` are the top-level keys of the first answer that its parser was written for, and `untold` the figures of a
    reading that it never tells: what differs is drift. `leaves_out_idle`: the parser leaves out an algorithm that no
    device works for.
    """

    title: str
    questions: tuple[Question | Line, ...]
    parse: Parser
    keys: frozenset[str]
    untold: frozenset[str] = frozenset()
    leaves_out_idle: bool = False


_GETSTAT1, _GETSTAT2 = json_rpc("miner_getstat1"), json_rpc("miner_getstat2", optional=True)
_DEVICES = Question("/api/v1/status/device", optional=True)
_STRATUM = Question("/api/v1/status/stratum", optional=True)

SOFTWARE = {
    "xmrig": Software(
        "XMRig",
        (Question("/2/summary", older="/1/summary"), Question("/2/backends", older="/1/threads", optional=True)),
        xmrig.parse_xmrig,
        xmrig.KEYS,
    ),
    "xmrig-proxy": Software(
        "XMRig-Proxy",
        (Question("/2/summary", older="/1/summary"),),
        xmrig.parse_xmrig,
        xmrig_proxy.KEYS,
        untold=frozenset({"algorithm", "devices"}),
    ),
    "lolminer": Software(
        "lolMiner", (Question("/summary"),), lolminer.parse_lolminer, lolminer.KEYS, leaves_out_idle=True
    ),
    "trex": Software("T-Rex", (Question("/summary"),), trex.parse_trex, trex.KEYS | ccminer.KEYS, leaves_out_idle=True),
    "gminer": Software("GMiner", (Question("/stat"),), gminer.parse_gminer, gminer.KEYS, leaves_out_idle=True),
    "teamredminer": Software(
        "TeamRedMiner",
        (
            sgminer("devs"),
            sgminer("pools", optional=True),
            sgminer("summary", optional=True),
            sgminer("devs2+pools2+summary2", optional=True),
            sgminer("devdetails", optional=True),
        ),
        teamredminer.parse_teamredminer,
        teamredminer.KEYS,
    ),
    "srbminer": Software(
        "SRBMiner-Multi", (Question("/"),), srbminer.parse_srbminer, srbminer.KEYS, leaves_out_idle=True
    ),
    "rigel": Software("Rigel", (Question("/stat"),), rigel.parse_rigel, rigel.KEYS, leaves_out_idle=True),
    "nbminer": Software(
        "NBMiner", (Question("/api/v1/status"),), nbminer.parse_nbminer, nbminer.KEYS, leaves_out_idle=True
    ),
    "bzminer": Software("bzminer", (Question("/status"),), bzminer.parse_bzminer, bzminer.KEYS, leaves_out_idle=True),
    "onezerominer": Software(
        "OneZeroMiner", (Question("/"),), onezerominer.parse_onezerominer, onezerominer.KEYS, leaves_out_idle=True
    ),
    "wildrig": Software("WildRig-Multi", (Question("/"),), wildrig.parse_wildrig, wildrig.KEYS),
    "miniz": Software(
        "miniZ",
        (Question("/", body='{"id":"0","method":"getstat"}'),),
        miniz.parse_miniz,
        miniz.KEYS,
    ),
    "cpuminer": Software(
        "cpuminer-opt", (word("summary"), word("threads", optional=True)), ccminer.parse_cpuminer, ccminer.KEYS
    ),
    "ccminer": Software(
        "ccminer",
        (word("summary"), word("threads", optional=True), word("pool", optional=True)),
        ccminer.parse_ccminer,
        ccminer.KEYS,
    ),
    "claymore": Software("Claymore", (_GETSTAT1, _GETSTAT2), claymore.parse_claymore, claymore.KEYS),
    "phoenixminer": Software("PhoenixMiner", (_GETSTAT1, _GETSTAT2), claymore.parse_phoenixminer, claymore.KEYS),
    "ethminer": Software("ethminer", (_GETSTAT1,), claymore.parse_ethminer, claymore.KEYS),
    "ttminer": Software(
        "TT-Miner", (_GETSTAT1,), claymore.parse_ttminer, claymore.KEYS, untold=frozenset({"algorithm"})
    ),
    "nanominer": Software(
        "nanominer",
        (Question("/stats"),),
        nanominer.parse_nanominer,
        nanominer.KEYS,
        untold=frozenset({"version"}),
        leaves_out_idle=True,
    ),
    "bminer": Software(
        "bminer",
        (Question("/api/v1/status/solver", older="/api/status"), _DEVICES, _STRATUM),
        bminer.parse_bminer,
        bminer.KEYS,
        untold=frozenset({"version", "uptime"}),
    ),
}
