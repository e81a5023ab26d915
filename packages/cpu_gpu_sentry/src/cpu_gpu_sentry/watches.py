"""Miners that the operator runs without a playbook and wants to see reported, kept in the sentry's store."""

import ipaddress
import re
import sqlite3
from dataclasses import dataclass, field

from sentry_kit.errors import BadUse

from cpu_gpu_sentry.miners.registry import SOFTWARE

SCHEMA = """
CREATE TABLE IF NOT EXISTS watch (
    port INTEGER PRIMARY KEY, host TEXT NOT NULL, software TEXT NOT NULL, coin TEXT);
CREATE TABLE IF NOT EXISTS watch_token (port INTEGER PRIMARY KEY, access_token TEXT NOT NULL);
"""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", re.ASCII)
_WATCHES_LIMIT = 32
_TOKEN = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class Watch:
    """One miner's API. `coin` is the operator's choice; None: the algorithm's usual coin.

    `access_token` is sent to the miner only.
    """

    software: str
    port: int
    host: str = "127.0.0.1"
    coin: str | None = None
    access_token: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class BadWatch(BadUse):
    """The watch can't be used; `field` says which part is wrong."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def check_watch(software: str, port: str, host: str, coin: str, access_token: str = "") -> Watch:
    """A watch from what a person typed; raises `BadWatch`."""
    software, host, coin = software.strip().lower(), host.strip().strip("[]") or "127.0.0.1", coin.strip()
    if software not in SOFTWARE:
        supported = ", ".join(sorted(SOFTWARE))
        raise BadWatch("software", f"“{software[:40]}” is not supported; this version reads {supported}.")
    if not _is_host(host):
        raise BadWatch("host", "The host is a name or an address, such as 127.0.0.1.")
    if len(coin) > 64 or not coin.isprintable():
        raise BadWatch("coin", "The coin's name has at most 64 letters.")
    access_token = access_token.strip()
    if access_token and not _TOKEN.fullmatch(access_token):
        raise BadWatch("access_token", "The access token has at most 256 letters, digits and signs, and no spaces.")
    return Watch(software, check_port(port), host, coin or None, access_token or None)


def check_port(text: str) -> int:
    port = text.strip()
    if not port.isascii() or not port.isdecimal() or len(port) > 5 or not 1 <= int(port) <= 65535:
        raise BadWatch("port", "The port is a number from 1 to 65535: the one that the miner's API listens on.")
    return int(port)


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return True


def load_watches(db: sqlite3.Connection) -> list[Watch]:
    rows = db.execute(
        "SELECT software, port, host, coin, access_token FROM watch LEFT JOIN watch_token USING (port) ORDER BY port"
    )
    return [Watch(*row) for row in rows if row[0] in SOFTWARE]


def add_watch(db: sqlite3.Connection, watch: Watch) -> None:
    """A second one on the same port takes the first one's place."""
    if db.execute("SELECT count(*) FROM watch WHERE port != ?", (watch.port,)).fetchone()[0] >= _WATCHES_LIMIT:
        raise BadWatch("port", f"At most {_WATCHES_LIMIT} miners can be watched; unwatch one first.")
    db.execute(
        "INSERT OR REPLACE INTO watch (port, host, software, coin) VALUES (?, ?, ?, ?)",
        (watch.port, watch.host, watch.software, watch.coin),
    )
    db.execute("DELETE FROM watch_token WHERE port = ?", (watch.port,))
    if watch.access_token is not None:
        db.execute("INSERT INTO watch_token VALUES (?, ?)", (watch.port, watch.access_token))


def remove_watch(db: sqlite3.Connection, port: int) -> bool:
    """Removes the watch; returns False if there was none at this port."""
    db.execute("DELETE FROM watch_token WHERE port = ?", (port,))
    return db.execute("DELETE FROM watch WHERE port = ?", (port,)).rowcount == 1
