#!/usr/bin/env python3
"""The scaled-out form to look at: two web nodes, two workers, NATS and PostgreSQL on free ports, and a simulated farm.

Nothing is kept. Runs until Ctrl-C. What ends by itself or is killed is started again, as a service manager would: kill
any of the processes that it names, and watch the pages.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import nats_server
import postgresql_server
from scaled_farm import CannotStart, ScaledFarm, scaled_farm

RIGS, EVERY_S = 100, 5
LOOK_EVERY_S = 0.5


def main() -> int:
    missing = [name for name, module in NEEDED.items() if not module.is_installed()]
    if missing:
        print(f"demo-scaled: install {' and '.join(missing)} first (Debian's packages).", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="minewarden-scaled-") as folder,
            scaled_farm(Path(folder), COMMANDER_PASSWORD=password) as farm,
        ):
            show(farm, password, ended)
    except (CannotStart, RuntimeError, OSError) as error:
        print(f"demo-scaled: {error}", file=sys.stderr)
        return 1
    print("The demo has ended; nothing of it was kept.")
    return 0


NEEDED = {"nats-server": nats_server, "postgresql": postgresql_server}


def show(farm: ScaledFarm, password: str, ended: threading.Event) -> None:
    script = Path(__file__).with_name("simulate_farm.py")
    command = [sys.executable, str(script), "--rigs", str(RIGS), "--every", str(EVERY_S), "--ca", str(farm.ca)]
    command += [word for node in farm.web for word in ("--commander", node.url)]
    environment = os.environ | {"API_KEY": farm.api_key("make demo-scaled")}
    with (farm.folder / "farm.log").open("wb") as log:
        simulated = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        say(farm, password)
        while not ended.wait(LOOK_EVERY_S):
            start_again(farm)
    finally:
        simulated.terminate()
        simulated.wait(timeout=15)


def start_again(farm: ScaledFarm) -> None:
    for part in (*farm.web, *farm.workers):
        if part.has_ended():
            print(f"{part.log.stem} has ended and is started again", flush=True)
            part.launch()
    if farm.nats.process is not None and farm.nats.process.poll() is not None:
        print("NATS has ended and is started again", flush=True)
        farm.nats.start()
    if farm.postgresql.process is not None and farm.postgresql.process.poll() is not None:
        print("PostgreSQL has ended and is started again", flush=True)
        farm.postgresql.start()


def say(farm: ScaledFarm, password: str) -> None:
    processes = {part.log.stem: part.process for part in (*farm.web, *farm.workers)}
    processes |= {"NATS": farm.nats.process, "PostgreSQL": farm.postgresql.process}
    named = ", ".join(f"{name} {process.pid}" for name, process in processes.items() if process)
    print(
        f"\n  Minewarden, scaled out\n"
        f"    open      {farm.web[0].url}  and  {farm.web[1].url}\n"
        f"    password  {password}\n"
        f"    trust     {farm.ca}  (for curl --cacert; a browser warns)\n"
        f"    shows     {RIGS} rigs named “simulated-…” that do not exist; each reports to either node\n"
        f"    figures   http://127.0.0.1:{farm.workers[0].figures_port}/metrics  (a worker's)\n"
        f"    kill      any of these, they are started again: {named}\n"
        f"    ends      with Ctrl-C\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
