"""The rigs' machines, as the rest of the commander sees them."""

from datetime import timedelta

from commander.machines import sentry_api
from commander.machines.actions import Machines
from commander.noun import Built, Core, Noun
from commander.registry.kinds import RigKind


def machines_of(core: Core) -> Machines:
    """Returns the machines of this commander's CPU/GPU rigs."""
    silence = timedelta(seconds=core.settings.offline_after_s)
    return Machines(core.database, core.lives[RigKind.CPU_GPU], core.tokens, silence=silence)


def build(core: Core) -> Built:
    return Built(dependencies={"machines": machines_of(core)})


NOUN = Noun(handlers=sentry_api.HANDLERS, build=build)
