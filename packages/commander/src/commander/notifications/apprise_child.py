"""The child process that sends one message by Apprise. Reads a `ChildOrder` as JSON, prints a `ChildAnswer`.

With any URL, it connects only to allowed addresses and starts no programs: Python's audit hooks see each
connection before it is made, with the address in numbers.
"""

import ipaddress
import logging
import sys

import msgspec

from commander.notifications.safe_addresses import is_allowed

# Schemes that show a message on the machine that Apprise runs on, or run something there.
LOCAL_SCHEMES = frozenset(
    {"dbus", "qt", "glib", "kde", "gnome", "macosx", "windows", "syslog", "file", "exec", "spool"}
)
_PROGRAMS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
_SHORTEST_SECRET = 6


class ChildOrder(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    title: str
    body: str
    kind: str
    loopback: bool


class ChildAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`error` is empty if the message was sent."""

    error: str = ""
    is_final: bool = False


class Forbidden(OSError):
    """An attempt to start a program, or to connect to an address that is not allowed."""


def guard(*, loopback: bool) -> None:
    """Forbids, for the rest of this process, connections to addresses that are not allowed, and other programs."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _PROGRAMS:
            raise Forbidden("programs are not started")
        if event in ("socket.connect", "socket.sendto"):
            _check(arguments[1], loopback=loopback)

    sys.addaudithook(hook)


def _check(address: object, *, loopback: bool) -> None:
    if not isinstance(address, tuple):  # a Unix socket: D-Bus, syslog
        raise Forbidden("local sockets are not used")
    try:
        host = ipaddress.ip_address(str(address[0]).partition("%")[0])
    except ValueError:
        return  # a name: it is looked up, and each address comes here again
    if not is_allowed(host, loopback=loopback):
        raise Forbidden(f"messages are never sent to {host}")


def send(order: ChildOrder) -> ChildAnswer:
    scheme = order.url.partition("://")[0].lower()
    if scheme in LOCAL_SCHEMES:
        return ChildAnswer(
            error=f"{scheme}:// shows messages on the commander's own machine only. Enter another URL.", is_final=True
        )
    import apprise

    target = apprise.Apprise(
        asset=apprise.AppriseAsset(plugin_paths=[], storage_mode=apprise.PersistentStoreMode.MEMORY)
    )
    if not target.add(order.url):
        return ChildAnswer(error=f"Apprise does not understand this URL of {scheme}://.", is_final=True)
    with apprise.LogCapture(level=logging.WARNING) as log:  # type: ignore[no-untyped-call]  # it has no types
        is_sent = target.notify(title=order.title, body=order.body, notify_type=apprise.NotifyType(order.kind))
        lines = log.getvalue().splitlines()
    return ChildAnswer() if is_sent else ChildAnswer(error=_reason(scheme, lines, order.url))


def _reason(scheme: str, lines: list[str], url: str) -> str:
    """Returns the newest line of Apprise's log without what stands in the URL."""
    text = lines[-1][:300] if lines else "no reason was given"
    for separator in "/:@?&=#,":
        url = url.replace(separator, " ")
    for part in url.split():
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, "…")
    return f"Apprise could not send by {scheme}://: {text.rstrip('.')}."


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=ChildOrder)
    guard(loopback=order.loopback)
    sys.stdout.buffer.write(msgspec.json.encode(send(order)))


if __name__ == "__main__":
    main()
