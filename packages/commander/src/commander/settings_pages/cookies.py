"""The cookies of an answer: they begin and end a browser's session, and mark a browser that has logged in before."""

from litestar.datastructures import Cookie

from commander.accounts.cookies import Cookies
from commander.accounts.domain import SESSION_LONGEST

DEVICE_LIFE_S = 400 * 24 * 3600  # the longest that browsers keep a cookie


def session_cookie(cookies: Cookies, value: str) -> Cookie:
    """Returns the cookie that begins a session."""
    return _cookie(cookies, cookies.session, value, int(SESSION_LONGEST.total_seconds()))


def end_of_session(cookies: Cookies) -> Cookie:
    """Makes the browser forget its session. It needs the same attributes as the cookie that it ends."""
    return _cookie(cookies, cookies.session, "", 0)


def device_cookie(cookies: Cookies, value: str) -> Cookie:
    """Returns the cookie that marks a browser that has logged in before."""
    return _cookie(cookies, cookies.device, value, DEVICE_LIFE_S)


def _cookie(cookies: Cookies, name: str, value: str, max_age: int) -> Cookie:
    return Cookie(name, value=value, max_age=max_age, httponly=True, samesite="lax", secure=cookies.is_secure)
