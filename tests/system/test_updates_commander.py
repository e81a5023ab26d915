"""A real commander updates a real sentry with the wheels of its own store."""

from pathlib import Path

import pytest
from sentry_kit.launcher import PROOF_WITHIN

from tests.farm import eventually, running_commander
from tests.sentry import running
from tests.sentry_wheels import CRASHES, dependencies, own_wheels, version_now
from tests.updatable_rig import installed_sentry

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
COMMANDS = "/api/v1/commands"
NEW, BROKEN = "9.1", "9.2"


def test_a_commander_updates_a_rig_and_names_the_reason_when_it_goes_back(tmp_path: Path) -> None:
    with running_commander(tmp_path) as commander, commander.client(commander.api_key()) as client:
        store = commander.data_dir / "packages"
        store.mkdir(exist_ok=True)
        for name, body in (own_wheels(NEW) | dependencies()).items():
            (store / name).write_bytes(body)
        added = client.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).raise_for_status().json()
        rig_id = added["id"]

        def order(**arguments: str) -> int:
            body = {"action": "update_sentry", "rigs": [rig_id], "arguments": arguments}
            return int(client.post(COMMANDS, json=body).raise_for_status().json()["id"])

        def ends(command_id: int) -> tuple[str, str]:
            """Waits for the result; returns the state and the sentence."""

            def target() -> dict[str, str]:
                (only,) = client.get(f"{COMMANDS}/{command_id}").raise_for_status().json()["targets"]
                return dict(only)

            eventually(lambda: target()["state"] not in ("waiting", "begun"), within_s=200, what="a result")
            return target()["state"], target()["result"]

        def has_version(version: str) -> bool:
            found = client.get("/api/v1/cpu-gpu-rigs", params={"select": f"sentry:{version}"}).raise_for_status()
            return [each["id"] for each in found.json()] == [rig_id]

        environment = {"SSL_CERT_FILE": str(commander.ca), PROOF_WITHIN: "120"}
        sentry = installed_sentry(tmp_path / "sentry", **environment)
        with running(sentry):
            sentry.enroll(commander.url, added["token"])
            eventually(lambda: has_version(version_now()), within_s=60, what="the first report")
            assert ends(order()) == ("done", f"Version {NEW} runs and has reported to the commander.")
            eventually(lambda: has_version(NEW), within_s=60, what="the new version in the index")
            for name, body in own_wheels(BROKEN, {"cpu_gpu_sentry/run.py": CRASHES}).items():
                (store / name).write_bytes(body)
            state, text = ends(order())
            assert state == "failed"
            assert text.startswith(f"The new version {BROKEN} ended 3 times at its start, with exit code 1")
            assert text.endswith(f"Version {NEW} runs again.")
            assert has_version(NEW)
