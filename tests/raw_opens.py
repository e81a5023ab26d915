"""Runs a program and reports on standard error when it opens a database file directly that SQLite has open.

Closing such a file drops all locks that SQLite holds on it in that process (https://www.sqlite.org/howtocorrupt.html).
The write-ahead log (`-wal`) may be opened: SQLite locks only the database and its `-shm`
(https://www.sqlite.org/walformat.html#wal_locks; test_sqlite_wal.py looks whether that is so).
"""

import sys

SAID = "raw open of "
_HOOK = f"""
import os, runpy, sys

def is_open(path):
    try:
        facts = os.stat(path)
    except OSError:
        return False
    for name in os.listdir("/proc/self/fd"):
        try:
            held = os.stat(f"/proc/self/fd/{{name}}")
        except OSError:
            continue
        if (held.st_dev, held.st_ino) == (facts.st_dev, facts.st_ino):
            return True
    return False

def audit(event, arguments):
    if event != "open" or isinstance(arguments[0], int):
        return
    path = os.fsdecode(arguments[0])
    database = path.removesuffix("-shm")
    if os.path.exists(database + "-wal") and is_open(path) and not (arguments[2] or 0) & os.O_EXCL:
        os.write(2, f"{SAID}{{path}}\\n".encode())

sys.addaudithook(audit)
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def audited(module: str, *arguments: str) -> list[str]:
    """The command line that runs `module` under the audit."""
    return [sys.executable, "-c", _HOOK, module, *arguments]
