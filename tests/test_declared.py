"""Each distribution declares what its code imports: a shared environment hides what is missing."""

import ast
import functools
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"
FOLDERS = sorted(path.parent.name for path in PACKAGES.glob("*/pyproject.toml"))
MADE = {"commander_assets"}  # is made while the commander's wheel is built
# A library's module that works only with an extra of the library, and the requirement that brings it.
EXTRAS = {"sqlalchemy.ext.asyncio": "sqlalchemy[asyncio]"}


def imported(code: str) -> set[str]:
    """Every module that the code names in an import, and in `import_module("…")`; dotted."""
    return _imported_in(ast.walk(ast.parse(code)))


def imported_at_start(code: str) -> set[str]:
    """The modules that are imported with the file, not later by one of its functions."""
    return _imported_in(_outside_of_functions(ast.parse(code)))


def _outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _outside_of_functions(child)


def _imported_in(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found |= {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
    return found


def imported_by(folder: str, find: Callable[[str], set[str]] = imported) -> set[str]:
    files = (PACKAGES / folder / "src").rglob("*.py")
    return {name for path in files for name in find(path.read_text(encoding="utf-8"))}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared_by(folder: str, *, extras: bool) -> set[str]:
    """Returns what is required: `a`, and for `a[b]` both `a` and `a[b]`. The package's own name is included.

    `extras`: also what the package's optional extras bring.
    """
    project = tomllib.loads((PACKAGES / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {normal(project["name"])}
    optional = [each for extra in project.get("optional-dependencies", {}).values() for each in extra]
    for requirement in [*project["dependencies"], *(optional if extras else [])]:
        name, extra = re.match(r"([\w.-]+)(\[[\w,]+\])?", requirement).groups()  # type: ignore[union-attr]
        found |= {normal(name), normal(name) + (extra or "")}
    return found


@functools.cache
def brought_by() -> dict[str, set[str]]:
    """The distributions that bring each top-level module; an editable installation does not name its own."""
    installed = importlib.metadata.packages_distributions()
    ours = {folder: {f"minewarden-{normal(folder)}"} for folder in FOLDERS}
    return {module: {normal(name) for name in names} for module, names in installed.items()} | ours


def undeclared(modules: set[str], declared: set[str]) -> dict[str, str]:
    """Each module that no declared distribution brings, and the requirement that would bring it."""
    third_party = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - MADE
    wanted = {module: brought_by().get(module, {"unknown"}) for module in third_party}
    missing = {module: ", ".join(sorted(names)) for module, names in wanted.items() if not names & declared}
    return missing | {name: extra for name, extra in EXTRAS.items() if name in modules and extra not in declared}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_distribution_declares_what_its_code_imports(folder: str) -> None:
    modules = imported_by(folder)
    assert "msgspec" in modules
    assert undeclared(modules, declared_by(folder, extras=True)) == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_program_needs_an_extra_to_start(folder: str) -> None:
    assert undeclared(imported_by(folder, imported_at_start), declared_by(folder, extras=False)) == {}


def test_an_import_in_a_function_comes_later() -> None:
    code = "import a\nif True:\n    import b\nclass C:\n    import c\n    def f(self):\n        import d\n"
    assert imported_at_start(code) == {"a", "b", "c"}


def test_all_five_distributions_are_looked_at() -> None:
    assert FOLDERS == ["asic_sentry", "commander", "cpu_gpu_sentry", "protocol", "sentry_kit"]


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("import msgspec.json", {"msgspec": "msgspec"}),
        ("def late():\n    from markupsafe import Markup", {"markupsafe": "markupsafe"}),
        ("import importlib\nnvml = importlib.import_module('pynvml')", {"pynvml": "nvidia-ml-py"}),
        ("from sqlalchemy.ext.asyncio import AsyncEngine", {"sqlalchemy.ext.asyncio": "sqlalchemy[asyncio]"}),
        ("from sqlalchemy.ext import asyncio", {"sqlalchemy.ext.asyncio": "sqlalchemy[asyncio]"}),
        ("import no_such_library", {"no_such_library": "unknown"}),
        ("import json, sqlalchemy\nfrom . import tables", {}),
    ],
)
def test_an_undeclared_import_is_caught(code: str, missing: dict[str, str]) -> None:
    assert undeclared(imported(code), {"sqlalchemy"}) == missing


def test_git_keeps_no_symbolic_link() -> None:
    """A link to a place of one machine, such as `.tools`, would replace what other checkouts have there."""
    git = ["git", "-C", str(PACKAGES.parent), "ls-files", "--stage"]
    if shutil.which("git") is None or subprocess.run(git, capture_output=True, check=False).returncode:
        pytest.skip("this is not a checkout")
    listed = subprocess.run(git, capture_output=True, check=True, text=True).stdout.splitlines()
    assert [line.split("\t")[1] for line in listed if line.startswith("120000")] == []
