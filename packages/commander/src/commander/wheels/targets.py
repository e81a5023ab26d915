"""The machines for which wheels are fetched: versions of Python, and systems."""

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
# The oldest first: a wheel for an old glibc works with every newer one.
_MANYLINUX = ("2_17", "2014", "2_5", "1", "2_12", "2010", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34")


@dataclass(frozen=True, slots=True)
class System:
    """`sys_platform`, `os_name`, `system` and `machine` are what environment markers (PEP 508) compare."""

    label: str
    platforms: tuple[str, ...]
    sys_platform: str
    os_name: str
    system: str
    machine: str


def _linux(label: str, machine: str) -> System:
    platforms = tuple(f"manylinux{'_' if '_' in each else ''}{each}_{machine}" for each in _MANYLINUX)
    return System(label, platforms, "linux", "posix", "Linux", machine)


SYSTEMS = (
    _linux("Linux on x86-64", "x86_64"),
    _linux("Linux on aarch64", "aarch64"),
    System("Windows on x86-64", ("win_amd64",), "win32", "nt", "Windows", "AMD64"),
)


@dataclass(frozen=True, slots=True)
class WheelTarget:
    python: tuple[int, int]
    system: System

    @property
    def label(self) -> str:
        return f"Python {self.version}, {self.system.label}"

    @property
    def version(self) -> str:
        return ".".join(map(str, self.python))

    @property
    def abis(self) -> list[str]:
        return [f"cp{self.python[0]}{self.python[1]}", "abi3", "none"]

    def tags(self) -> frozenset[Tag]:
        platforms = self.system.platforms
        return frozenset([*cpython_tags(self.python, self.abis, platforms), *self._without_abi()])

    def _without_abi(self) -> Iterator[Tag]:
        return compatible_tags(self.python, self.abis[0], self.system.platforms)

    def needs(self, marker: str | None) -> bool:
        """Returns whether a requirement with this environment marker counts here."""
        if marker is None:
            return True
        return Marker(marker).evaluate(
            {
                "sys_platform": self.system.sys_platform,
                "os_name": self.system.os_name,
                "platform_system": self.system.system,
                "platform_machine": self.system.machine,
                "python_version": self.version,
                "python_full_version": f"{self.version}.0",
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
            }
        )


TARGETS = tuple(WheelTarget(python, system) for system in SYSTEMS for python in PYTHONS)


def fits(file_name: str, name: str, version: str, tags: frozenset[Tag]) -> bool:
    """Returns whether a wheel's file is of this version, and for a machine with these tags."""
    project, its_version, _, its_tags = parse_wheel_filename(file_name)
    return project == name and str(its_version) == version and bool(its_tags & tags)
