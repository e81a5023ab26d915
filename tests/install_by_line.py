"""The whole life of a sentry that a line installs; run in a network of its own, see `bare_root.py`. Prints JSON."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.bare_root import BareRoot, loopback_up
from tests.farm import PASSWORD, CommanderProcess, eventually

RIGHT_PIN = re.compile(r"sha256//[A-Za-z0-9+/=]+")
REPORTS_WITHIN_S = 120.0


def main() -> None:
    lower, work, data_dir, port = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    loopback_up()
    rig = BareRoot(lower, work)
    rig.open()
    url = f"https://127.0.0.1:{port}"
    commander = CommanderProcess(data_dir, port, more={"COMMANDER_PUBLIC_URL": url})
    commander.start()
    try:
        with commander.client() as browser:
            browser.post("/login", data={"password": PASSWORD})
            facts = {"rig": life_of_a_rig(rig, browser, url), "asics": life_of_an_asic_sentry(rig, browser)}
    finally:
        commander.stop()
    sys.stdout.write(json.dumps(facts))


def life_of_a_rig(rig: BareRoot, browser: httpx.Client, url: str) -> dict[str, object]:
    line = line_in(browser.post("/cpu-gpu", data={"name": "rig-07"}), "enrol-line-linux")
    wrong = RIGHT_PIN.sub("sha256//" + "A" * 43 + "=", line)
    facts: dict[str, object] = {
        "line": line,
        "wrong pin": said(rig, wrong),
        "curl with a wrong pin": rig.type_in(wrong.partition(" | ")[0]).returncode,
        "dry run": said(rig, f"{line} --dry-run"),
        "after nothing": rig.left_behind(),
    }
    facts["first"] = said(rig, line, must_work=True)
    with subprocess.Popen(rig.start_of("minewarden-cpu-gpu-sentry"), stderr=subprocess.DEVNULL) as sentry:
        try:
            eventually(lambda: health(browser, facts) == "online", within_s=REPORTS_WITHIN_S, what="the first report")
            facts["again"] = said(rig, line)
            facts["by farm token"] = said(rig, re.sub(r"mw_rig_\S+", farm_token(browser), line))
            facts["uses"] = [each["used"] for each in browser.get("/api/v1/farm-tokens").json()["farm_tokens"]]
            facts["command"] = said(rig, "cpu-gpu-sentry status")
        finally:
            sentry.terminate()
            sentry.wait(60)
    facts["left before uninstalling"] = len(rig.left_behind())
    facts["miners' user"] = said(rig, "id minewarden-miner && stat -c %a /var/lib/minewarden-cpu-gpu-sentry")
    facts["uninstall"] = said(rig, without_token(line))
    facts["left behind"] = rig.left_behind()
    facts["miners' user after"] = said(rig, "id minewarden-miner")["code"]
    return facts


def life_of_an_asic_sentry(rig: BareRoot, browser: httpx.Client) -> dict[str, object]:
    line = line_in(browser.post("/settings/site-tokens", data={"site_name": "hall 1"}), "created-site-line")
    facts: dict[str, object] = {"line": line, "first": said(rig, line), "list": said(rig, "asic-sentry list")}
    facts["uninstall"] = said(rig, without_token(line))
    facts["left behind"] = rig.left_behind()
    return facts


def farm_token(browser: httpx.Client) -> str:
    made = browser.post("/api/v1/farm-tokens", json={"name": "hall 2", "uses": 40})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


def line_in(page: httpx.Response, element: str) -> str:
    found = re.search(rf'<pre id="{element}"[^>]*>([^<]*)</pre>', page.text)
    assert found, page.text[:2000]
    return html.unescape(found[1]).replace("sudo ", "")  # root has no need of it, and a bare system has none


def without_token(line: str) -> str:
    return re.sub(r"mw_\S+", "--uninstall", line)


def said(rig: BareRoot, line: str, *, must_work: bool = False) -> dict[str, object]:
    done = rig.type_in(line)
    assert not (must_work and done.returncode), f"{line}: {done.stdout}{done.stderr}"
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def health(browser: httpx.Client, facts: dict[str, object]) -> str:
    (found,) = browser.get("/api/v1/cpu-gpu-rigs").json()
    facts["rig id"] = found["id"]
    return str(found["health"])


if __name__ == "__main__":
    main()
