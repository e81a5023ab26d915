"""The dialog “Many rigs” with its fields, its mistakes, and the farm tokens that are valid."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from commander.farm_tokens.actions import FarmTokenActions
from commander.farm_tokens.forms import FarmTokenForm
from commander.farm_tokens.views import FarmTokenRow, row_of
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.dialog import RigDialog

LISTED = 5
USUAL = FarmTokenForm()


@dataclass(frozen=True, slots=True)
class FarmTokenDialog(RigDialog):
    """`listed` are farm tokens that are valid, newest first."""

    form: Mapping[str, str] = field(default_factory=USUAL._asdict)
    errors: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[FarmTokenRow, ...] = ()


async def farm_token_dialog(
    actions: FarmTokenActions, back: str, form: FarmTokenForm = USUAL, errors: Mapping[str, str] | None = None
) -> FarmTokenDialog:
    now = await actions.now()
    rows = [row_of(each, now) for each in await actions.all()]
    return FarmTokenDialog(
        "add-many",
        PATHS[RigKind.CPU_GPU],
        back,
        error=next(iter((errors or {}).values()), ""),
        form=form._asdict(),
        errors=errors or {},
        listed=tuple(row for row in rows if row.is_valid)[:LISTED],
    )
