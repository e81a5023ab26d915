"""The forms of the local page that enter or remove a password for reading."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping

from asic_sentry.access import Login
from asic_sentry.addresses import BadAddress, check_address
from asic_sentry.asics.login_check import refused
from asic_sentry.asics.logins import BadLogin, check_login, enter_login
from asic_sentry.poll import Identity

Form = Mapping[str, str]
Change = Callable[[Callable[[sqlite3.Connection], object]], Awaitable[None]]  # changes the store


async def take_for_asic(form: Form, identity: Identity, change: Change) -> None:
    """Stores the log-in of one ASIC, unless the ASIC refuses it. Raises `BadLogin`."""
    login = _login_in(form)
    if login is not None:
        check_login(login)
        if reason := await refused(identity, login):
            raise BadLogin(reason)
    await change(lambda db: enter_login(db, identity.ip, None, login))


async def take_for_model(form: Form, change: Change) -> None:
    """Stores the log-in of a model, or of the ASIC at an address; it need not be listed yet.

    Raises `BadLogin` or `BadOverride`.
    """
    login, name = _login_in(form), form.get("model", "").strip()
    await change(lambda db: enter_login(db, *_ip_or_model(name), login))


def _login_in(form: Form) -> Login | None:
    """Returns the log-in in a form; None if its button “Remove” was pressed."""
    return None if "remove" in form else Login(form.get("user", "").strip(), form.get("password", ""))


def _ip_or_model(name: str) -> tuple[str | None, str | None]:
    try:
        return check_address(name, None)[0], None
    except BadAddress:
        return None, name
