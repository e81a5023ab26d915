"""The system's reason for an error, in plain words: no error number, no name of a Python class."""

import errno
import socket
import sqlite3
import ssl
from collections.abc import Iterator

_WORDS = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of its path is no folder",
    errno.EISDIR: "it is a folder",
    errno.EEXIST: "it exists already",
    errno.EACCES: "this user lacks the permission",
    errno.EPERM: "this user lacks the permission",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EIO: "the disk does not work as it should",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENOEXEC: "it is no program for this machine",
    errno.EMFILE: "too many files and connections are open",
    errno.ENFILE: "too many files and connections are open",
    errno.ENOMEM: "the memory is full",
    errno.ENOBUFS: "the memory is full",
    errno.EADDRINUSE: "another program uses it",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.ECONNREFUSED: "the connection was refused",
    errno.ECONNRESET: "the connection was cut",
    errno.ECONNABORTED: "the connection was cut",
    errno.EPIPE: "the connection was cut",
    errno.ETIMEDOUT: "it does not answer in time",
    errno.EHOSTUNREACH: "the network has no route to it",
    errno.ENETUNREACH: "the network has no route to it",
    errno.EHOSTDOWN: "the network has no route to it",
    errno.ENETDOWN: "this machine's network is down",
}
NO_NAME = "its name does not resolve"


def reason(error: BaseException) -> str:
    """Returns why `error` happened, as the middle of a sentence. It also looks at the error's causes."""
    for cause in causes(error):
        if words := _words(cause):
            return words
    return "the system does not say why"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields `error` and its causes, the newest first."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from causes(each)
        error = error.__cause__ or error.__context__


def _words(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror):
        return NO_NAME
    if isinstance(cause, ssl.SSLError):
        return "its certificate or its TLS is not accepted"
    if isinstance(cause, TimeoutError):
        return _WORDS[errno.ETIMEDOUT]
    if isinstance(cause, sqlite3.Error):
        return str(cause)  # SQLite's own words have no number
    if not isinstance(cause, OSError):
        return ""
    system = (cause.strerror or "").rstrip(".")
    return _WORDS.get(cause.errno or 0) or system[:1].lower() + system[1:]
