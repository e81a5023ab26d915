"""The store of wheels, as the rest of the commander sees it."""

from commander.noun import Built, Core, Noun
from commander.wheels import api
from commander.wheels.store import FOLDER, WheelStore


def build(core: Core) -> Built:
    return Built(dependencies={"wheel_store": WheelStore(core.settings.data_dir / FOLDER)})


NOUN = Noun(handlers=api.HANDLERS, build=build)
