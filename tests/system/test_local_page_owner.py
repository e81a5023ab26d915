"""The local pages of real sentries, used by their owner, by another user of the machine, and by other machines."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from free_ports import free_port

from tests.sentry import ASIC_SENTRY, CPU_GPU_SENTRY, SentryProcess, log_in, running_sentry

pytestmark = pytest.mark.system

NOBODY = 65_534
FORMS = {
    CPU_GPU_SENTRY: ["enroll", "watch", "unwatch", "leave"],
    ASIC_SENTRY: ["connect", "add", "token", "remove", "enter", "model", "scan", "scan/stop", "adopt"],
}
FIELDS = {
    "url": "https://127.0.0.1:1",
    "token": "mw_rig_" + "0" * 64,
    "software": "xmrig",
    "port": "18080",
    "model": "S19 Pro",
    "power_w": "1",
    "network": "127.0.0.0/30",
    "id": "1",
    "ip": "127.0.0.1",
    "sure": "yes",
}
AS_ANOTHER_USER = """
import json, os, sys, urllib.error, urllib.parse, urllib.request
"a".encode("idna")  # loads what this user may not read
os.setgroups([]), os.setgid(65534), os.setuid(65534)
page, forms, fields = sys.argv[1], json.loads(sys.argv[2]), urllib.parse.urlencode(json.loads(sys.argv[3])).encode()
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
said = {}
for form in forms:
    request = urllib.request.Request(f"{page}/{form}", fields, {"Origin": page})
    try:
        said[form] = urllib.request.build_opener(Stay).open(request, timeout=60).status
    except urllib.error.HTTPError as error:
        said[form] = error.code
print(json.dumps([os.getuid(), said]))
"""


@pytest.fixture(params=[CPU_GPU_SENTRY, ASIC_SENTRY])
def sentry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SentryProcess]:
    with running_sentry(tmp_path / "sentry", request.param) as started:
        yield started


def page_of(sentry: SentryProcess) -> str:
    return f"http://127.0.0.1:{sentry.ui_port}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
def test_another_user_of_the_machine_changes_nothing(sentry: SentryProcess) -> None:
    forms, fields = json.dumps(FORMS[sentry.program]), json.dumps(FIELDS)
    command = [sys.executable, "-c", AS_ANOTHER_USER, page_of(sentry), forms, fields]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [NOBODY, dict.fromkeys(FORMS[sentry.program], 403)]


def test_the_owner_s_secret_is_the_owner_s_alone_and_opens_the_page_once(sentry: SentryProcess) -> None:
    secret = sentry.store.with_name("page.json")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    address = sentry.run("page").stdout.strip()
    assert address.startswith(f"{page_of(sentry)}/login?code=")
    with log_in(address) as owner, httpx.Client(base_url=page_of(sentry), timeout=60) as stranger:
        assert "<form" in owner.get("/").text
        assert stranger.get(address).status_code == 403
        read_only = stranger.get("/").text
    assert "<form" not in read_only
    assert "page</code>" in read_only
    assert address.partition("code=")[2] not in sentry.log.read_text()


def test_an_address_of_before_a_restart_is_worth_nothing(sentry: SentryProcess) -> None:
    address = sentry.run("page").stdout.strip()
    sentry.kill()
    done = sentry.run("page")
    assert (done.returncode, "No sentry runs" in done.stderr) == (1, True)
    sentry.start()
    assert httpx.get(address, timeout=60).status_code == 403


@pytest.mark.parametrize("program", [CPU_GPU_SENTRY, ASIC_SENTRY])
def test_other_machines_need_the_password(program: str, tmp_path: Path) -> None:
    host = {f"{program.upper()}_UI_HOST": "0.0.0.0"}  # noqa: S104 - with a password
    done = SentryProcess(tmp_path / "sentry", program, more=host).run("run")
    assert done.returncode == 1
    assert f"{program.upper()}_UI_PASSWORD" in done.stderr
    assert done.stderr.count("\n") == 1
    password = {f"{program.upper()}_UI_PASSWORD": "correct horse battery"}
    with running_sentry(tmp_path / "sentry", program, **host, **password) as sentry:
        page = page_of(sentry)
        with httpx.Client(base_url=page, headers={"Origin": page}, timeout=60) as browser:
            assert browser.get("/").status_code == 401
            assert browser.post("/login", data={"password": "correct horse"}).status_code == 403
            assert browser.post("/login", data=dict(password="correct horse battery")).status_code == 303
            assert "<form" in browser.get("/").text
        with log_in(sentry.run("page").stdout) as owner:
            assert owner.get("/").status_code == 200
        assert not [each for each in sentry.store.parent.iterdir() if b"correct horse" in _content(each)]
        assert "correct horse" not in sentry.log.read_text()


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_a_host_that_is_none_is_an_answer_and_no_trouble(sentry: SentryProcess) -> None:
    for host in ("[", "[::1", "a b", "evil.example", f"127.0.0.1:{free_port()}"):
        answer = httpx.get(f"{page_of(sentry)}/", headers={"Host": host}, timeout=60)
        assert answer.status_code in (200, 400, 421), host
    assert "Traceback" not in sentry.log.read_text()
