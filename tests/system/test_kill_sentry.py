"""Kill -9 of the sentry at random moments of installing, starting and swapping: it always ends in what is wanted, with
one process for each playbook and nothing half on the disk."""

import os
import random
import time
from pathlib import Path

import pytest
from protocol.playbook_messages import Playbook, PlaybookState

from tests.farm import eventually
from tests.kills import kills
from tests.playbook_rig import PlaybookRig, playbook_rig
from tests.playbook_software import package_of, playbook_of, stand_in

pytestmark = pytest.mark.system
KILLS = kills(30)
LONGEST_S = 1.6  # from the news to mining it takes about as long
BODIES = [stand_in(filler=os.urandom(400_000)) for _ in range(2)]  # two versions of the software


def wanted(rig: PlaybookRig, chance: random.Random) -> list[Playbook]:
    """One or two playbooks, of either version, with one of two scripts."""
    playbooks = []
    for name in chance.choice([("p1",), ("p1", "p2")]):
        version = chance.randrange(2)
        url = rig.shop.offer(f"miner-{version}.tar.gz", BODIES[version])
        package = package_of(url, BODIES[version], version=f"1.{version}")
        options = f"--devices {chance.choice([2, 3])} --children 1"
        playbooks.append(playbook_of(package, options, id=name, revision=chance.randrange(1000)))
    return playbooks


def is_as(rig: PlaybookRig, playbooks: list[Playbook]) -> bool:
    """Exactly those run, each once, with exactly its script, and only their software is there."""
    running = sorted(" ".join(command[1:]) for command in rig.miners())
    status = {each.id: rig.commander.status_of(each.id) for each in playbooks}
    expected = sorted(
        each.script.removeprefix("exec ").replace("{api_port}", str(now.api_port)).strip()
        for each in playbooks
        if (now := status[each.id]) is not None and now.state is PlaybookState.MINING
    )
    return len(expected) == len(playbooks) and running == expected and _all_is_whole(rig, playbooks)


def _all_is_whole(rig: PlaybookRig, playbooks: list[Playbook]) -> bool:
    versions = {each.package.version for each in playbooks}
    software = [path.name for path in (rig.data_dir / "software").iterdir()]
    return (
        sorted(name.split("-")[1] for name in software) == sorted(versions)
        and len(rig.processes()) == 3 * len(playbooks)  # a keeper, the miner and its child
        and {path.name for path in (rig.data_dir / "playbooks").iterdir()} == {each.id for each in playbooks}
        and not list((rig.data_dir / "downloads").iterdir())
    )


@pytest.mark.timeout(3_600)
def test_kills_at_random_moments_end_in_what_is_wanted(tmp_path: Path) -> None:
    chance = random.Random(20261120)  # noqa: S311 - the same moments each time
    with playbook_rig(tmp_path) as rig:
        playbooks: list[Playbook] = []
        for kill in range(KILLS):
            if kill % 3 != 2 or not playbooks:  # now and then it is killed without news
                playbooks = wanted(rig, chance)
                rig.commander.want(*playbooks)
            time.sleep(chance.uniform(0, LONGEST_S))  # the moment of the kill, not a wait for anything
            rig.sentry.kill()
            names = [name for name, _run in rig.runs()]
            assert len(names) == len(set(names)), "one playbook runs twice"
            rig.sentry.start()
            if kill % 5 == 4:
                eventually(lambda now=playbooks: is_as(rig, now), within_s=60, what=f"the state after kill {kill}")  # type: ignore[misc]
        eventually(lambda: is_as(rig, playbooks), within_s=60, what="the wanted state")
