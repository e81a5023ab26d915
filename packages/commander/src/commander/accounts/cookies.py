"""The cookies of a browser: its session, and the mark of a browser that has logged in before."""

from typing import NamedTuple
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from commander.accounts.domain import SESSION_LONGEST
from commander.settings import Settings, TlsMode

DEVICE_LIFE_S = 400 * 24 * 3600  # the longest that browsers keep a cookie


class Cookies(NamedTuple):
    """The cookies' names. `is_secure`: browsers send them by HTTPS alone."""

    session: str = "minewarden_session"
    device: str = "minewarden_browser"
    is_secure: bool = False

    def over(self, scheme: str) -> "Cookies":
        """Returns the cookies for the answer to a request of this scheme, as the proxy says it if there is one."""
        return self._replace(is_secure=self.is_secure or scheme == "https")

    def session_cookie(self, value: str) -> Cookie:
        return self._cookie(self.session, value, int(SESSION_LONGEST.total_seconds()))

    def end_of_session(self) -> Cookie:
        """Makes the browser forget its session. It needs the same attributes as the cookie that it ends."""
        return self._cookie(self.session, "", 0)

    def device_cookie(self, value: str) -> Cookie:
        return self._cookie(self.device, value, DEVICE_LIFE_S)

    def _cookie(self, name: str, value: str, max_age: int) -> Cookie:
        return Cookie(name, value=value, max_age=max_age, httponly=True, samesite="lax", secure=self.is_secure)


def cookies_of(settings: Settings) -> Cookies:
    """Returns the cookies of a commander with these settings.

    With a certificate that browsers trust, the names begin with `__Host-`: then no other host and no plain HTTP can
    set these cookies.
    """
    is_secure = settings.tls is not TlsMode.OFF or urlsplit(settings.public_url).scheme == "https"
    if is_secure and settings.tls is not TlsMode.AUTO:
        return Cookies("__Host-minewarden_session", "__Host-minewarden_browser", is_secure)
    return Cookies(is_secure=is_secure)
