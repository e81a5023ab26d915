"""Stores the log-ins that an operator enters for reading, for an ASIC by its address or for a model."""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from sentry_kit.errors import BadUse

from asic_sentry.access import Login
from asic_sentry.addresses import check_address
from asic_sentry.asics.asic import model_key
from asic_sentry.asics.overrides import check_model
from asic_sentry.models import names_by_make

_LIMIT = 256
Logins = Mapping[str, Login]


def ip_key(ip: str) -> str:
    return f"ip {ip}"


def _model_key(model: str) -> str:
    return f"model {model_key(model)}"


class BadLogin(BadUse):
    """A log-in that can't be stored; the error belongs to the field `password`."""


class EnteredLogin(NamedTuple):
    """The address or the model that a log-in was entered for, and its user. The password is never shown."""

    name: str
    user: str


def entered_logins(logins: Logins) -> list[EnteredLogin]:
    names = {_model_key(name): name for each in names_by_make().values() for name in each}
    return sorted(EnteredLogin(names.get(key, key.partition(" ")[2]), login.user) for key, login in logins.items())


def load_logins(db: sqlite3.Connection) -> dict[str, Login]:
    return {key: Login(user, password) for key, user, password in db.execute("SELECT key, user, password FROM login")}


def login_for(logins: Logins, ip: str, model: str | None) -> Login | None:
    """Returns the log-in of the ASIC at this address, or else that of its model."""
    return logins.get(ip_key(ip)) or (logins.get(_model_key(model)) if model else None)


def check_login(login: Login) -> None:
    """Raises `BadLogin` if the log-in can't be stored."""
    if not login.password or len(login.password) > _LIMIT or len(login.user) > _LIMIT:
        raise BadLogin("Give a password of 1 to 256 characters.")


def enter_login(db: sqlite3.Connection, ip: str | None, model: str | None, login: Login | None) -> str:
    """Stores the log-in; None removes it. Returns a sentence about it, without the password."""
    name = check_address(ip, None)[0] if ip is not None else check_model(model or "")
    key = ip_key(name) if ip is not None else _model_key(name)
    if login is None:
        removed = db.execute("DELETE FROM login WHERE key = ?", (key,)).rowcount
        return f"{name}: the password was removed." if removed else f"{name}: no password was entered."
    check_login(login)
    db.execute("INSERT OR REPLACE INTO login VALUES (?, ?, ?)", (key, login.user, login.password))
    return f"{name}: a password for the user “{login.user}” is stored. It is used for reading only."


def move_logins(db: sqlite3.Connection, moved: Mapping[str, str]) -> None:
    """Moves log-ins to their ASICs' new addresses. `moved` maps old to new ones; two ASICs may swap theirs."""
    logins = load_logins(db)
    for old in moved:
        db.execute("DELETE FROM login WHERE key = ?", (ip_key(old),))
    for old, new in moved.items():
        if login := logins.get(ip_key(old)):
            db.execute("INSERT OR REPLACE INTO login VALUES (?, ?, ?)", (ip_key(new), login.user, login.password))
