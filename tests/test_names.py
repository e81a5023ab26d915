"""Names: one word for one thing, see docs/glossary.md and CONTRIBUTING.md."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for path in ROOT.glob("packages/*/src/**/*.py") if "versions" not in path.parts)
# Words that are not the field's: a door is an endpoint, a bell a long poll, a shelf a catalogue …
RETIRED = {
    *("bell", "door", "doors", "hear", "heard", "desk", "shelf", "pantry", "recipe", "lookout", "moving", "anew"),
}
# Words that name where a value came from, not what it is: use `status`, `reason`, `rows`, `previous` …
VAGUE = {"told", "tell", "tells", "telling", "said", "says", "whoever", "whatever", "deed", "deeds"}
# A docstring begins with a verb or a noun: "Returns the next step", "The state of a target".
QUESTIONS = {"What", "Which", "Who", "Whom", "Whose", "How", "Whether", "Where", "When", "Why"}
CODE = sorted(
    path
    for folder in ("packages", "tests", "devtools", "bench")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(name: str) -> set[str]:
    """Returns the words of `heard_at` or `HeardAt`."""
    return {word.lower() for word in _WORD.findall(name)}


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Returns all nodes of a file, which several tests look at."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def definitions(path: Path) -> Iterator[tuple[str, bool]]:
    """Gives the names of a file's classes and functions, with whether it is a class."""
    for node in nodes_of(path):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, isinstance(node, ast.ClassDef)


def parameters(nodes: Iterable[ast.AST]) -> list[str]:
    """Returns the names of all parameters of functions."""
    return [node.arg for node in nodes if isinstance(node, ast.arg)]


def retired_in(path: Path) -> list[str]:
    names = [path.stem, *(name for name, _ in definitions(path)), *parameters(nodes_of(path))]
    return [f"{path.relative_to(ROOT)}: {name}" for name in names if words_of(name) & (RETIRED | VAGUE)]


def test_no_two_classes_of_one_package_share_a_name() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in SOURCES:
        package = path.relative_to(ROOT).parts[1]
        for name, is_class in definitions(path):
            if is_class and not name.startswith("_"):
                places[package, name].append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_no_file_class_function_or_parameter_has_a_retired_word_in_its_name() -> None:
    assert [name for path in SOURCES for name in retired_in(path)] == []


def docstrings(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Gives each docstring, with its line."""
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def is_question(docstring: str) -> bool:
    return docstring.split(maxsplit=1)[0].strip(",.;:") in QUESTIONS


def test_no_docstring_begins_as_a_question() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in CODE
        for line, text in docstrings(nodes_of(path))
        if is_question(text)
    ]
    assert found == []


def test_questions_are_found_in_docstrings_of_every_kind() -> None:
    source = (
        '"""What this is."""\nclass A:\n    """Whether it is."""\n    def f(self):\n        """Returns how it is."""\n'
    )
    assert [(line, is_question(text)) for line, text in docstrings(ast.walk(ast.parse(source)))] == [
        (1, True),
        (3, True),
        (5, False),
    ]


@pytest.mark.parametrize("name", ["heard_at", "PlaybookDesk", "_hear", "doors", "HTTPDoor", "_Told", "told_at"])
def test_a_retired_word_is_found_however_it_is_written(name: str) -> None:
    assert words_of(name) & (RETIRED | VAGUE)


def test_parameters_of_every_kind_are_found() -> None:
    source = "def f(a, /, b, *c, d, **e): return lambda g: g"
    assert set(parameters(ast.walk(ast.parse(source)))) == {"a", "b", "c", "d", "e", "g"}


def test_the_docs_use_no_retired_word() -> None:
    pages = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    lines = [
        (page.name, number, line)
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    ]
    wrong = [f"{name}:{number}" for name, number, line in lines if set(re.findall(r"[a-z]+", line.lower())) & RETIRED]
    assert wrong == []
