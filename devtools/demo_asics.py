"""The demo's ASICs: stand-ins on loopback addresses of this machine, watched by a real ASIC sentry that has adopted
them with a site token, as an operator would."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

FAKES = Path(__file__).parent / "fake_asics.py"
COUNT, NETWORK, NAMES = 10, "127.77.0.0/24", "stand-in {model} {ip}"
SITE = "make demo"
TRIES = 5
USUAL_PORTS = (4028, 80)

Start = Callable[[str, Sequence[str | Path]], None]
Command = Callable[..., str]


def site_token(people: httpx.Client) -> str:
    """A token's text is not kept anywhere, so each start makes another."""
    path = "/api/v1/site-tokens"
    for site in people.get(path).raise_for_status().json():
        if site["name"] == SITE:
            people.delete(f"{path}/{site['id']}").raise_for_status()
    made: dict[str, Any] = people.post(path, json={"name": SITE}).raise_for_status().json()
    return str(made["token"])


def show_asics(start: Start, command: Command, url: str, token: str, web_port: int) -> None:
    """`start` runs a program for as long as the demo lasts, `command` one of the short ones.

    `web_port` is where the stand-ins have what is port 80 of a real one. What an earlier demo adopted is adopted.
    """
    base = web_port - 80
    start("asics", [sys.executable, FAKES, "--count", str(COUNT), "--network", NETWORK, "--port-base", str(base)])
    command("asic-sentry", "connect", "--url", url, "--site-token", token)
    ports = [f"--port={base + port}" for port in USUAL_PORTS]
    for _try in range(TRIES):  # the stand-ins may not listen yet
        if len(json.loads(command("asic-sentry", "list", "--json"))) >= COUNT:
            break
        command("asic-sentry", "scan", NETWORK, *ports, "--adopt", "--name", NAMES)
    command("asic-sentry", "set", "--model", "IceRiver KS5L", "--power-w", "3400")
    start("asic-sentry", [Path(sys.executable).parent / "asic-sentry", "run"])
