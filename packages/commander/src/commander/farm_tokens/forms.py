"""The form that makes a farm token, as a person fills it in."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from commander.farm_tokens.domain import USUAL_PATTERN, USUAL_USES, USUAL_VALIDITY, VALIDITY_MOST, BadFarmToken
from commander.tags.domain import tags_in
from commander.web.ids import id_in

HOUR = timedelta(hours=1)


class FarmTokenForm(NamedTuple):
    """The fields as they were typed."""

    name: str = ""
    uses: str = str(USUAL_USES)
    hours: str = str(USUAL_VALIDITY // HOUR)
    name_pattern: str = USUAL_PATTERN
    tags: str = ""
    approve_by_hand: str = "yes"


class WantedFarmToken(NamedTuple):
    """The fields as numbers and lists."""

    uses: int
    valid_for: timedelta
    tags: list[str]


def form_of(fields: Mapping[str, str]) -> FarmTokenForm:
    """Returns the form as it was sent: a box that is not ticked is not sent at all."""
    return FarmTokenForm(*(fields.get(name, "") for name in FarmTokenForm._fields))


def wanted(form: FarmTokenForm) -> WantedFarmToken:
    """Raises `BadFarmToken`."""
    uses = id_in(form.uses.strip())
    if uses is None:
        raise BadFarmToken("uses", "Enter a whole number, such as 40.")
    hours, most = id_in(form.hours.strip()), VALIDITY_MOST // HOUR
    if not hours or hours > most:
        raise BadFarmToken("hours", f"Enter a whole number of hours from 1 to {most:,}.")
    return WantedFarmToken(uses, hours * HOUR, tags_in(form.tags))
