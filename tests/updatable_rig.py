"""A rig whose sentry was installed with a launcher, as the installation's line does it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpu_gpu_sentry.updates.build import build
from sentry_kit import launcher
from sentry_kit.launcher import switch

from tests.playbook_commander import stand_in_commander
from tests.playbook_rig import PlaybookRig
from tests.playbook_software import vendor
from tests.sentry import CPU_GPU_SENTRY, SentryProcess, running
from tests.sentry_wheels import dependencies, own_wheels, version_now


def install(state: Path, version: str) -> None:
    """Makes the first version and copies the launcher."""
    state.mkdir(parents=True, mode=0o700)
    build(state, version, [*own_wheels(version).values(), *dependencies().values()])
    switch(state, version)
    (state / "launcher.py").write_bytes(Path(launcher.__file__).read_bytes())


def installed_sentry(folder: Path, **more: str) -> SentryProcess:
    """A sentry that a launcher runs. Its other commands are those of the current version."""
    state = folder / "data"
    install(state, version_now())

    def command(program: str, *arguments: str) -> list[str]:
        if arguments == ("run",):
            return [sys.executable, "-I", str(state / "launcher.py"), program, "run"]
        return [str(state / "current" / "bin" / "python"), "-I", "-m", program, *arguments]

    return SentryProcess(folder, CPU_GPU_SENTRY, command=command, more=more)


@contextmanager
def updatable_rig(folder: Path, **more: str) -> Iterator[PlaybookRig]:
    """A rig that is enrolled. The commander has the wheels of everything that a sentry needs."""
    with vendor(folder / "vendor") as shop, stand_in_commander(folder / "commander") as commander:
        commander.packages |= dependencies()
        trusted = folder / "trusted.pem"
        trusted.write_bytes(shop.ca.read_bytes() + commander.ca.read_bytes())
        sentry = installed_sentry(folder / "sentry", SSL_CERT_FILE=str(trusted), **more)
        with running(sentry):
            sentry.enroll(commander.url, str(commander.token))
            yield PlaybookRig(sentry, commander, shop)


def end_group(sentry: SentryProcess, number: int) -> None:
    """Sends the launcher a signal, as systemd does with KillMode=process."""
    assert sentry.process is not None
    os.kill(sentry.process.pid, number)
