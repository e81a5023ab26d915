"""Who may import whom: the arrows of the architecture, read from the code itself."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"
OURS = {"protocol", "sentry_kit", "cpu_gpu_sentry", "asic_sentry", "commander"}
MAY_USE = {
    "protocol": set[str](),
    "sentry_kit": {"protocol"},
    "cpu_gpu_sentry": {"protocol", "sentry_kit"},
    "asic_sentry": {"protocol", "sentry_kit"},
    "commander": {"protocol"},
}
NOUNS = {
    "rigs",
    "asics",
    "playbooks",
    "addresses",
    "software",
    "accounts",
    "telemetry",
    "history",
    "logs",
    "live",
    "jobs",
}
OWN_ROLES = {"pages", "api"}  # a noun's doors: no other noun goes through them
WIRING = {"commander.app", "commander.parts", "commander.routes"}
DECISIONS = (
    "commander.readings.summary",
    "commander.problems",
    "commander.readings",
)  # domain modules that have other names


def why_not(module: str, imported: str) -> str | None:
    """Why `module` must not import `imported`; both are dotted names. None: it may."""
    package, other = module.partition(".")[0], imported.partition(".")[0]
    if other in OURS - {package} - MAY_USE[package]:
        return f"{package} does not know {other}"
    if package == "protocol" and other not in {"protocol", "msgspec"} | sys.stdlib_module_names:
        return "protocol needs the standard library and msgspec only"
    if ".".join(imported.split(".")[:2]) in WIRING and module not in WIRING | {"commander.serve"}:
        return "only commander.serve runs the app, and nobody knows how it is wired"
    if module.endswith(".domain") and not is_decision(imported):
        return "a domain module knows the standard library, protocol and other domain modules only"
    return _through_a_door(module.split("."), imported.split("."))


def is_decision(imported: str) -> bool:
    top = imported.partition(".")[0]
    is_domain = any(part == "domain" for part in imported.split("."))
    return top in {"protocol"} | sys.stdlib_module_names or is_domain or imported.startswith(DECISIONS)


def _through_a_door(module: list[str], imported: list[str]) -> str | None:
    if len(module) < 3 or len(imported) < 3 or imported[0] != "commander":
        return None
    noun, other, role = module[1], imported[1], imported[2]
    if noun in NOUNS and noun != other and other in NOUNS and role in OWN_ROLES:
        return f"{noun} may use the domain and store of {other}, not its {role}"
    return None


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGES.glob("*/src/**/*.py")):
        parts = path.relative_to(PACKAGES).with_suffix("").parts[2:]
        yield ".".join(part for part in parts if part != "__init__"), path


def imports_of(code: str, module: str, *, is_package: bool = False) -> set[str]:
    """Every module that the code names in an import, wherever in it; `from a import b` counts as `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def _base(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The absolute name of what `from …` names."""
    if not node.level:
        return node.module or ""
    here = module.split(".") if is_package else module.split(".")[:-1]
    up = here[: len(here) - node.level + 1]
    return ".".join([*up, *([node.module] if node.module else [])])


def violations(code: str, module: str, *, is_package: bool = False) -> list[str]:
    imported = sorted(imports_of(code, module, is_package=is_package))
    return [f"{module} imports {name}: {why}" for name in imported if (why := why_not(module, name))]


def test_every_module_imports_only_what_it_may() -> None:
    found = [
        wrong
        for module, path in modules()
        for wrong in violations(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")
    ]
    assert found == []


def test_the_modules_of_all_five_packages_are_looked_at() -> None:
    names = [module for module, _ in modules()]
    assert {name.partition(".")[0] for name in names} == OURS
    assert "commander.registry.names" in names


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("protocol.messages", "import httpx"),
        ("protocol.messages", "def late():\n    from commander.rigs import store"),
        ("sentry_kit.spool", "from cpu_gpu_sentry.report import Report"),
        ("cpu_gpu_sentry.report", "import asic_sentry"),
        ("asic_sentry.poll", "from commander.settings import Settings"),
        ("commander.registry.names", "import sqlalchemy as sa"),
        ("commander.registry.names", "from commander.rigs import store"),
        ("commander.registry.names", "from . import tables"),
        ("commander.rig_pages.pages", "from commander.accounts import pages"),
        ("commander.registry.store", "from ..accounts.api import handler"),
        ("commander.registry.store", "from commander.app import create_app"),
        ("commander.rig_pages.pages", "from commander.parts import Parts"),
        ("commander.jobs.loop", "import cpu_gpu_sentry.report"),
    ],
)
def test_a_forbidden_import_is_caught(module: str, code: str) -> None:
    assert len(violations(code, module)) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("protocol.messages", "import msgspec\nfrom datetime import datetime"),
        (
            "cpu_gpu_sentry.report",
            "from sentry_kit import store\nfrom protocol.messages import CpuGpuLog\nimport psutil",
        ),
        (
            "commander.playbooks.domain",
            "from commander.registry.names import Rig\nfrom commander.readings.summary import Work",
        ),
        ("commander.rigs.cpu_gpu_api", "from commander.accounts import domain, store"),
        ("commander.rig_pages.pages", "from commander.rigs.cpu_gpu_api import find"),
        ("commander.serve", "from commander.app import create_app"),
    ],
)
def test_an_allowed_import_is_not(module: str, code: str) -> None:
    assert violations(code, module) == []
