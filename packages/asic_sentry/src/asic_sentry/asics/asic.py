"""An ASIC that was added, its state, and what its operator entered for it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from protocol.asic_messages import AsicLog, PowerSource
from protocol.tokens import Token

from asic_sentry.failures import PollFailure
from asic_sentry.models import plain
from asic_sentry.poll import Identity

OVER_BUDGET = "over_budget"  # the ASIC's logs are to come later; its token is valid


class Refusal(StrEnum):
    """The commander's reason for refusing the ASIC's token."""

    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a word of the protocol
    RIG_REMOVED = "rig_removed"

    @classmethod
    def of(cls, error: str | None) -> "Refusal | None":
        """Returns the refusal for the commander's error code; None if the token is valid.

        An unknown code of a newer commander is a refusal, too.
        """
        if error in (None, OVER_BUDGET):
            return None
        return cls.RIG_REMOVED if error == cls.RIG_REMOVED else cls.INVALID_TOKEN


class AsicState(StrEnum):
    """The state of an ASIC. If several apply, the one further down counts."""

    ONLINE = "online"
    WAITING = "waiting"
    NOT_ANSWERING = "not_answering"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a state's name
    NOT_POLLED = "not_polled"  # the sentry does not run


class Override(msgspec.Struct, frozen=True):
    """Values that the operator entered for an ASIC or a model: the device does not report them, or reports them
    wrongly."""

    power_w: float | None = None
    coin: str | None = None


NO_OVERRIDE = Override()


class Rig(msgspec.Struct, frozen=True):
    """The ASIC's rig in the commander. After an adoption only its name is known."""

    id: int | None
    name: str | None

    def is_same(self, other: "Rig") -> bool:
        if self.id is None or other.id is None:
            return self.name is not None and self.name == other.name
        return self.id == other.id


class Asic(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `failure` is that of its last poll, since `failing_since`; `news` says that its address has changed."""

    id: int
    identity: Identity
    operator_model: str | None
    rig: Rig
    token: Token
    mac: str | None
    override: Override
    refusal: Refusal | None
    failure: PollFailure | None
    failing_since: datetime | None
    answered: bool
    identified_at: datetime
    news: str | None

    @property
    def ip(self) -> str:
        return self.identity.ip

    @property
    def model_name(self) -> str | None:
        specs = self.identity.specs
        return " ".join(word for word in (specs.make, specs.model) if word) or self.operator_model


def state_of(asic: Asic, *, running: bool = True) -> AsicState:
    """Returns the ASIC's state. A removed rig's token is invalid as well: both states have one name.

    `running`: the sentry polls the ASIC. The last state of a killed sentry says nothing about the ASIC now.
    """
    if not running and asic.refusal is None:
        return AsicState.NOT_POLLED
    if asic.refusal is not None:
        return AsicState.INVALID_TOKEN
    if asic.failure is not None:
        return AsicState.NOT_ANSWERING
    return AsicState.ONLINE if asic.answered else AsicState.WAITING


def refusal_text(refusal: Refusal) -> str:
    if refusal is Refusal.RIG_REMOVED:
        return "The rig was removed from the commander: add it there again, and give its new token here."
    return "The commander does not know this token any longer: give the new one from the ASIC's page there."


def override_for(asic: Asic, models: Mapping[str, Override]) -> Override:
    """Returns the ASIC's own override; where it has no value, the one of its model."""
    of_model = models.get(model_key(asic.model_name or ""), NO_OVERRIDE)
    return Override(asic.override.power_w or of_model.power_w, asic.override.coin or of_model.coin)


def model_key(model: str) -> str:
    """Returns the key of a model, however people write its name."""
    return plain(model)


def with_override(log: AsicLog, override: Override) -> AsicLog:
    """Returns the log with the override's values. The power is that of an ASIC at work: without a hashrate it is
    unknown."""
    if override == NO_OVERRIDE:
        return log
    power_w, source = log.power_w, log.power_source
    if power_w is None and override.power_w is not None and log.hashrate_hs:
        power_w, source = override.power_w, PowerSource.ENTERED
    return msgspec.structs.replace(log, power_w=power_w, power_source=source, coin=override.coin or log.coin)
