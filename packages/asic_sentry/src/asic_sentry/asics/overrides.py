"""Checks and stores overrides: the power and the coin that an operator enters for an ASIC or a model."""

import sqlite3

from protocol.figures import FIGURES
from sentry_kit.errors import BadUse, SentryError

from asic_sentry.addresses import check_address
from asic_sentry.asics import store
from asic_sentry.asics.asic import Override, model_key
from asic_sentry.models import makes_of

NONE = "none"
_COIN_LIMIT = 64


class BadOverride(BadUse):
    """A value that can't be used; `field` is `power_w`, `coin` or `model`."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def check_power(text: str) -> float:
    try:
        power_w = float(text.strip().removesuffix("W").strip())
    except ValueError:
        power_w = 0.0
    if not 0 < power_w <= FIGURES["asic_power_w"].bounds.highest:
        raise BadOverride("power_w", f"“{text}” is no wattage; give watts, such as 3250.")
    return power_w


def check_coin(text: str) -> str:
    coin = " ".join(text.split())
    if not coin or len(coin) > _COIN_LIMIT:
        raise BadOverride("coin", f"“{text[:80]}” is no coin's name; give one such as Bitcoin.")
    return coin


def changed_override(before: Override, power_w: str | None, coin: str | None) -> Override:
    """Returns the override after a change. None leaves a value as it is, `none` removes it. Raises `BadOverride`."""
    power, named = before.power_w, before.coin
    if power_w is not None:
        power = None if power_w.strip().lower() == NONE else check_power(power_w)
    if coin is not None:
        named = None if coin.strip().lower() == NONE else check_coin(coin)
    return Override(power, named)


def enter(db: sqlite3.Connection, ip: str | None, model: str | None, power_w: str | None, coin: str | None) -> str:
    """Sets the override of the ASIC at `ip`, or else of the model. Returns a sentence with the values that apply
    now."""
    if power_w is None and coin is None:
        raise BadUse("Give --power-w, --coin or both.")
    if ip is not None:
        address, _ = check_address(ip, None)
        before = store.asic_override(db, address)
        if before is None:
            raise SentryError(f"No ASIC is listed at {address}; asic-sentry list says which are.")
        override = changed_override(before, power_w, coin)
        store.set_asic_override(db, address, override)
        return f"{address}: {override_text(override)}."
    name = check_model(model or "")
    existing = store.load_model_overrides(db).get(model_key(name))
    override = changed_override(existing.override if existing else Override(), power_w, coin)
    store.set_model_override(db, name, override)
    return f"{name}: {override_text(override)}."


def check_model(model: str) -> str:
    name = " ".join(model.split())
    if not model_key(name) or len(name) > _COIN_LIMIT:
        raise BadOverride("model", "Give a model as it is listed, such as Antminer S19 Pro.")
    makes = makes_of(name)
    if len(makes) == 1 and not model_key(name).startswith(model_key(next(iter(makes)))):
        return f"{next(iter(makes))} {name}"  # "S19 Pro" is listed as Antminer S19 Pro
    return name


def override_text(override: Override) -> str:
    power = f"{override.power_w:g} W" if override.power_w is not None else "no wattage"
    return f"{power} and {f'the coin {override.coin}' if override.coin else 'no coin'} entered"
