"""Usual names of the programs of mining software, ports of their APIs, and options that switch the APIs on.

Ports: the defaults of the software, and those that HiveOS gives it (`hive/miners/*/h-manifest.conf` of
minershive/hiveos-linux). The first port is the one that the option shows.
"""

from typing import NamedTuple


class Usual(NamedTuple):
    """`programs` are in small letters and without `.exe`. `mark` is a text in small letters that an answer of this
    software contains, and an answer of another software does not; None if there is no such text."""

    programs: frozenset[str]
    ports: tuple[int, ...]
    option: str
    mark: bytes | None = None


def _usual(programs: str, ports: tuple[int, ...], option: str, mark: bytes | None = None) -> Usual:
    return Usual(frozenset(programs.split()), ports, option.format(port=ports[0]), mark)


USUAL = {
    "xmrig": _usual(
        "xmrig xmrig-notls xmrig-mo", (18088, 60070, 60050, 44444), "--http-enabled --http-port={port}", b'"kind"'
    ),
    "xmrig-proxy": _usual("xmrig-proxy", (18088, 44444), "--http-enabled --http-port={port}", b'"proxy"'),
    "lolminer": _usual("lolminer", (44444, 3333), "--apiport {port} --apihost 127.0.0.1", b"lolminer"),
    "trex": _usual("t-rex", (4067, 4058, 4059, 3333), "--api-bind-http 127.0.0.1:{port}", b"t-rex"),
    "gminer": _usual("miner gminer", (42010, 3333), "--api {port}", b'"miner"'),
    "teamredminer": _usual("teamredminer", (4028, 65078, 3333), "--api_listen=127.0.0.1:{port}", b"teamredminer"),
    "srbminer": _usual(
        "srbminer-multi srbminer", (21550, 21555, 3333), "--api-enable --api-port {port}", b'"miner_version"'
    ),
    "rigel": _usual("rigel", (5000, 3333), "--api-bind 127.0.0.1:{port}", b"rigel"),
    "nbminer": _usual("nbminer", (22333, 3333), "--api 127.0.0.1:{port}"),
    "bzminer": _usual("bzminer", (4014, 3333), "--http_enabled 1 --http_port {port}", b"bzminer_version"),
    "onezerominer": _usual("onezerominer", (3001, 3333), "--api-host 127.0.0.1 --api-port {port}", b'"uptime_seconds"'),
    "wildrig": _usual("wildrig-multi wildrig", (60060, 4028), "--api-port {port}", b'"hwmon"'),
    "miniz": _usual("miniz", (20000, 3333), "--telemetry=127.0.0.1:{port}"),
    "cpuminer": _usual(
        "cpuminer cpuminer-sse2 cpuminer-aes-sse42 cpuminer-avx cpuminer-avx2 cpuminer-avx2-sha cpuminer-avx512 minerd",
        (4048,),
        "-b 127.0.0.1:{port}",
        b"name=cpuminer",
    ),
    "ccminer": _usual("ccminer", (4068, 4067), "-b 127.0.0.1:{port}", b"name=ccminer"),
    "claymore": _usual("ethdcrminer64 claymore zecminer64 nsgpucnminer", (3333,), "-mport 127.0.0.1:-{port}"),
    "phoenixminer": _usual("phoenixminer", (3333, 3335), "-cdm 1 -cdmport 127.0.0.1:{port}", b'"pm '),
    "ethminer": _usual("ethminer kawpowminer", (3334, 3333), "--api-port -{port}", b"ethminer"),
    "ttminer": _usual("tt-miner", (4068, 3336, 3333), "-api-bind 127.0.0.1:{port}", b"tt-miner"),
    "nanominer": _usual("nanominer", (9090, 3339), "webPort={port} in config.ini"),
    "bminer": _usual("bminer", (1880,), "-api 127.0.0.1:{port}"),
}
