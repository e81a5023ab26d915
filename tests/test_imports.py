"""The imports that the architecture allows, checked in the code itself."""

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
# The folders and files of the commander, in order: each imports only from itself and from those before it.
LAYERS = (
    *("garbage", "problems", "limit_log", "strictness", "database_url", "postgresql", "db", "partitions", "settings"),
    *("service_unit", "private_files", "certificates", "tls", "signing", "sealing", "lock", "farm_lease"),
    *("sqlite_wal", "database_number"),
    *("jobs", "certificate_renewal"),
    *("audit", "dependents", "accounts", "web"),  # who asks; how a page and an answer are made
    *("registry", "readings", "raw_logs", "live", "selections", "history"),  # rigs, and what is known of them
    "notifications",  # messages to people
    "noun",  # what each of the next folders offers
    *("wheels", "addresses", "software", "playbooks", "commands", "tags", "saved_views", "watchdog", "rigs"),
    *("machines", "farm_tokens"),  # what people do
    *("alerts", "maintenance", "alert_rules", "incidents"),  # what is wrong, and who gets a message
    *("rig_pages", "overview", "settings_pages", "audit_pages", "intake"),  # where requests come in
    *("migrations", "rig_metrics", "metrics", "scaled", "chores"),
    *("error_handlers", "nouns", "services", "running", "routes", "app"),  # wiring
    *("damage", "backup", "migrate_data", "serve", "own_service", "account_command", "__main__"),  # commands
)
PURE = (
    *("commander.problems", "commander.registry.names", "commander.registry.kinds", "commander.readings"),
    *("commander.selections.parser", "commander.selections.quantities", "commander.notifications.news"),
    *("commander.alert_rules.levels", "commander.incidents.grouping", "commander.incidents.in_common"),
    "commander.notifications.timing",
)


def why_not(module: str, imported: str) -> str | None:
    """Returns why `module` must not import `imported`; both are dotted names. None: it may."""
    package, other = module.partition(".")[0], imported.partition(".")[0]
    if other in OURS - {package} - MAY_USE[package]:
        return f"{package} does not know {other}"
    if package == "protocol" and other not in {"protocol", "msgspec"} | sys.stdlib_module_names:
        return "protocol needs the standard library and msgspec only"
    if is_pure(module) and not may_be_used_by_decisions(imported):
        return "a decision knows the standard library, msgspec, protocol and other decisions only"
    if package == other == "commander":
        return _against_the_order(module, imported)
    return None


def is_pure(module: str) -> bool:
    """Returns whether a module only decides, without side effects."""
    return "domain" in module.split(".") or module.startswith(PURE)


def may_be_used_by_decisions(imported: str) -> bool:
    top = imported.partition(".")[0]
    return top in {"protocol", "msgspec"} | sys.stdlib_module_names or is_pure(imported)


def _against_the_order(module: str, imported: str) -> str | None:
    """Returns why an import inside the commander goes up. The package itself holds the version alone."""
    here, there = module.split(".")[1], imported.split(".")[1]
    if here not in LAYERS or there not in LAYERS:  # not listed, as another test says, or a name of the package itself
        return None
    return None if LAYERS.index(there) <= LAYERS.index(here) else f"{there} comes after {here} in the list of layers"


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
        ("commander.registry.names", "from commander.registry import store"),
        ("commander.registry.names", "from . import tables"),
        ("commander.rigs.actions", "from commander.rig_pages import pages"),
        ("commander.registry.store", "from ..intake.sink import LogSink"),
        ("commander.web.errors", "from commander.rigs import actions"),
        ("commander.addresses.actions", "def late():\n    from commander.playbooks import store"),
        ("commander.registry.store", "from commander.app import create_app"),
        ("commander.rig_pages.pages", "from commander.services import Services"),
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


def test_every_folder_and_file_of_the_commander_has_its_place_in_the_list() -> None:
    found = {module.split(".")[1] for module, _ in modules() if module.startswith("commander.")}
    assert found == set(LAYERS)
    assert len(LAYERS) == len(set(LAYERS))


def test_no_two_files_import_each_other_in_a_circle() -> None:
    """Neither directly nor through others."""
    names = {module for module, _ in modules()}
    arrows = {
        module: _known(
            imports_of(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"), names
        )
        - {module}
        for module, path in modules()
    }
    while free := [module for module, used in arrows.items() if not used & arrows.keys()]:
        for module in free:
            del arrows[module]
    assert arrows == {}


def _known(imported: set[str], names: set[str]) -> set[str]:
    """The modules of ours among the names of imports: `from a import b` may name the module a.b, or b in a."""
    return {name if name in names else name.rpartition(".")[0] for name in imported} & names
