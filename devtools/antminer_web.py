"""The web interface of stock Antminers, which other libraries ask and ours does not: digest log-in, then JSON in their
shape. It stands beside `fake_asics.py`, at port 80 of the same addresses.

    devtools/antminer_web.py 127.20.0.1 127.20.0.2
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

LOG_IN = 'WWW-Authenticate: Digest realm="antMiner Configuration", nonce="01234567", algorithm=MD5, qop="auth"\r\n'
PAGE = re.compile(rb"GET /cgi-bin/(\w+)\.cgi ")
BOARDS, CHIPS, FANS_RPM = 3, 114, [5918, 5953, 5759, 5626]
ABOUT = {"miner_version": "49.0.1.3", "CompileTime": "Mon Jan  5 10:00:00 CST 2026", "type": "Antminer S19 Pro"}
SAID = {"STATUS": "S", "when": 1_795_223_961, "Msg": "summary", "api_version": "1.0.0"}
RATES: dict[str, object] = {
    "elapsed": 50_000,
    "rate_5s": 108_801.0,
    "rate_30m": 109_900.2,
    "rate_avg": 109_800.5,
    "rate_ideal": 110_000.0,
    "rate_unit": "GH/s",
}

ANSWERS: dict[str, dict[str, object]] = {
    "get_system_info": {
        "minertype": ABOUT["type"],
        "nettype": "DHCP",
        "netdevice": "eth0",
        "macaddr": "02:FA:CE:00:00:01",
        "hostname": "Antminer",
        "ipaddress": "192.0.2.1",
        "netmask": "255.255.255.0",
        "gateway": "",
        "dnsservers": "",
        "system_mode": "GNU/Linux",
        "system_kernel_version": "Linux 4.6.0-xilinx",
        "system_filesystem_version": ABOUT["CompileTime"],
        "firmware_type": "Release",
        "serinum": "FAKE0000000000001",
    },
    "get_miner_conf": {
        "pools": [
            {"url": f"stratum+tcp://pool{place}.example:3333", "user": "stand-in.worker", "pass": "x"}
            for place in range(3)
        ],
        "api-listen": True,
        "api-network": True,
        "api-groups": "A:stats:pools:devs:summary:version",
        "api-allow": "A:0/0,W:*",
        "bitmain-fan-ctrl": False,
        "bitmain-fan-pwm": "100",
        "bitmain-use-vil": True,
        "bitmain-freq": "675",
        "bitmain-voltage": "1330",
        "bitmain-ccdelay": "0",
        "bitmain-pwth": "0",
        "bitmain-work-mode": "0",
        "bitmain-freq-level": "100",
    },
    "get_blink_status": {"blink": False},
    "summary": {
        "STATUS": SAID,
        "INFO": ABOUT,
        "SUMMARY": [
            {
                **RATES,
                "hw_all": 12,
                "bestshare": 1_234_567,
                "status": [
                    {"type": part, "status": "s", "code": 0, "msg": ""} for part in ("rate", "network", "fans", "temp")
                ],
            }
        ],
    },
    "stats": {
        "STATUS": SAID | {"Msg": "stats"},
        "INFO": ABOUT,
        "STATS": [
            {
                **RATES,
                "chain_num": BOARDS,
                "fan_num": len(FANS_RPM),
                "fan": FANS_RPM,
                "hwp_total": 0.0001,
                "miner-mode": 0,
                "freq-level": 100,
                "chain": [
                    {
                        "index": board,
                        "freq_avg": 675,
                        "rate_ideal": 36_666.7,
                        "rate_real": 36_500.5 + board,
                        "asic_num": CHIPS,
                        "asic": " ooo" * (CHIPS // 3),
                        "temp_pic": [51, 45, 62, 60],
                        "temp_pcb": [68, 45, 62, 60],
                        "temp_chip": [76, 52, 70, 73],
                        "hw": 4,
                        "eeprom_loaded": True,
                        "sn": f"FAKEBOARD00000{board}",
                        "hwp": 0.0001,
                        "tpl": [],
                    }
                    for board in range(BOARDS)
                ],
            }
        ],
    },
}
BODIES = {name.encode(): json.dumps(answer).encode() for name, answer in ANSWERS.items()}


def response(status: str, body: bytes, header: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answer_to(request: bytes) -> bytes:
    page = PAGE.match(request)
    if page is None or page[1] not in BODIES:
        return response("404 Not Found", b"")
    if b"\r\nauthorization: digest" not in request.lower():
        return response("401 Unauthorized", b"", LOG_IN)
    return response("200 OK", BODIES[page[1]])


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request; one without a login gets 401."""
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer_to(request))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@asynccontextmanager
async def serving(ips: Iterable[str]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for ip in ips:
            await stack.enter_async_context(await asyncio.start_server(answer, ip, 80))
        yield


async def main() -> None:
    async with serving(sys.argv[1:]):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
