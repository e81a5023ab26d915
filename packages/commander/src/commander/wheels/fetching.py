"""`commander fetch-packages`: fills the store, so that rigs without internet can be installed.

Libraries are fetched by pip from the index that this machine is configured for, in the exact versions of
`requirements.lock`, and checked by its hashes. What is in the store is not fetched again. Our own wheels are the last
to come, and of them the sentries': a store that has a sentry has all that it needs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from commander.wheels.lock_file import Locked, needed, read_lock
from commander.wheels.own import PROJECTS, lock_text, own_wheels, required_by
from commander.wheels.problems import CannotFetch
from commander.wheels.store import FOLDER, WheelStore
from commander.wheels.targets import TARGETS, WheelTarget, fits

INSTALLER = "pip"  # a rig's Python may have none
_PIP_LIMIT_S = 900

Say = Callable[[str], None]


def fetch_packages(data_dir: Path, say: Say, targets: Sequence[WheelTarget] = TARGETS) -> None:
    """Fills the store of this data directory. Raises `CannotFetch`. It may be interrupted and typed again."""
    folder = data_dir / FOLDER
    with tempfile.TemporaryDirectory() as built:
        ours = own_wheels(Path(built))
        roots = {INSTALLER, *PROJECTS, *(name for wheel in ours for name in required_by(wheel))}
        fetch_locked(data_dir, needed(read_lock(lock_text()), roots), targets, say)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as work:
            for wheel in ours:
                _put(wheel, folder, Path(work))
    say(f"The store has {len(WheelStore(folder).file_names())} wheels: {folder}")


def fetch_locked(data_dir: Path, lock: Sequence[Locked], targets: Iterable[WheelTarget], say: Say) -> None:
    """Fetches the wheels of these libraries that are not there yet, for each target. Raises `CannotFetch`."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _give_to_owner(folder, data_dir)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as work:
        for target in targets:
            _fetch_for(target, lock, folder, Path(work), say)


def _fetch_for(target: WheelTarget, lock: Iterable[Locked], folder: Path, work: Path, say: Say) -> None:
    wanted = [each for each in lock if target.needs(each.marker)]
    missing = _missing(target, wanted, folder)
    say(f"{target.label}: {f'fetching {len(missing)} wheels' if missing else 'complete'}")
    if not missing:
        return
    wrong = _download(target, missing, work)
    _put_all(work, folder)
    if wrong:
        _one_by_one(target, _missing(target, wanted, folder), folder, work, say)


def _one_by_one(target: WheelTarget, missing: Sequence[Locked], folder: Path, work: Path, say: Say) -> None:
    """Fetches each by itself: one that is not made for a target must not keep the others away."""
    without = []
    for each in missing:
        wrong = _download(target, [each], work)
        _put_all(work, folder)
        if wrong is None:
            continue
        if "No matching distribution" not in wrong:
            raise CannotFetch(
                f"{each.name} {each.version} can't be fetched ({wrong}); check this machine's network and its index "
                "(`pip config list`), and type the command again: it goes on from here."
            )
        without.append(f"{each.name} {each.version}")
    if without:
        say(f"{target.label}: there is no wheel of {', '.join(without)}; a sentry can't be installed there")


def _missing(target: WheelTarget, wanted: Sequence[Locked], folder: Path) -> list[Locked]:
    tags, there = target.tags(), WheelStore(folder).file_names()
    return [each for each in wanted if not any(fits(name, each.name, each.version, tags) for name in there)]


def _download(target: WheelTarget, wanted: Sequence[Locked], work: Path) -> str | None:
    """Returns None, or pip's reason for its failure."""
    listed = work / "wanted.txt"
    listed.write_text("".join(f"{each.line()}\n" for each in wanted), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(listed)),
        *("--implementation", "cp", "--python-version", target.version, "--dest", str(work)),
        *(word for each in target.abis for word in ("--abi", each)),
        *(word for each in target.system.platforms for word in ("--platform", each)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_LIMIT_S, check=False, env=_calm())  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"pip did not end within {_PIP_LIMIT_S} s"
    if done.returncode == 0:
        return None
    errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return (errors[-1] if errors else done.stderr.strip()[-300:] or "pip gave no reason").rstrip(".")


def _calm() -> dict[str, str]:
    """Returns the environment for pip; versions come from the lock alone."""
    return {name: value for name, value in os.environ.items() if name not in ("PIP_CONSTRAINT", "PIP_REQUIREMENT")}


def _put_all(work: Path, folder: Path) -> None:
    for wheel in work.glob("*.whl"):
        _put(wheel, folder, work)


def _put(wheel: Path, folder: Path, work: Path) -> None:
    """Puts a wheel into the store in one step; other processes see the whole file or none."""
    new = work / f"{wheel.name}.part"
    shutil.copyfile(wheel, new)
    if wheel.parent == work:
        wheel.unlink()
    with new.open("rb") as file:
        os.fsync(file.fileno())
    _give_to_owner(new, folder)
    new.replace(folder / wheel.name)


def _give_to_owner(path: Path, like: Path) -> None:
    """Root fetches for the user that the commander runs as."""
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
