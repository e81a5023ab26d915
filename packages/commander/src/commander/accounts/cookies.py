"""The names of a browser's cookies: its session, and the mark of a browser that has logged in before."""

from typing import NamedTuple
from urllib.parse import urlsplit

from commander.settings import Settings, TlsMode


class Cookies(NamedTuple):
    """The cookies' names. `is_secure`: browsers send them by HTTPS alone."""

    session: str = "minewarden_session"
    device: str = "minewarden_browser"
    is_secure: bool = False

    def over(self, scheme: str) -> "Cookies":
        """Returns the cookies for the answer to a request of this scheme, as the proxy says it if there is one."""
        return self._replace(is_secure=self.is_secure or scheme == "https")


def cookies_of(settings: Settings) -> Cookies:
    """Returns the cookies of a commander with these settings.

    With a certificate that browsers trust, the names begin with `__Host-`: then no other host and no plain HTTP can
    set these cookies.
    """
    is_secure = settings.tls is not TlsMode.OFF or urlsplit(settings.public_url).scheme == "https"
    if is_secure and settings.tls is not TlsMode.AUTO:
        return Cookies("__Host-minewarden_session", "__Host-minewarden_browser", is_secure)
    return Cookies(is_secure=is_secure)
