"""The docs agree with the code."""

import re
from pathlib import Path

import write_docs
from commander.alert_rules.domain import RuleName
from commander.settings import Settings
from commander.software.catalogue import shipped
from commander.software.placeholders import BUILT_IN, OF_THE_RIG
from protocol.command_messages import CommandAction

from tests.test_imports import LAYERS

ROOT = Path(__file__).parent.parent


def test_the_generated_pages_are_what_the_code_says() -> None:
    assert write_docs.outdated() == [], "run `make docs`"


def test_the_table_of_asics_has_the_ports_of_web_pages_beside_an_api() -> None:
    page = (ROOT / "docs" / "asics.md").read_text(encoding="utf-8")
    ports = dict(re.findall(r"^\| (\w+) \| [^|]* \| ([\d, ]+) \|", page, re.MULTILINE))
    expected = {"Auradine": "4028, 8080", "Innosilicon": "4028, 80", "Goldshell": "4028, 80", "IceRiver": "80"}
    assert {make: ports[make] for make in expected} == expected


def test_every_make_target_is_explained_by_make_help_and_named_in_contributing() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in phony[1].split():
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
        assert f"`make {target}`" in contributing, target


def test_every_relative_link_leads_to_a_file() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_contributing_lists_every_layer_in_order() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = contributing.partition("| layer |")[2].partition("\n\n")[0]
    cells = [line.split("|")[2] for line in table.splitlines()[2:]]
    assert tuple(re.findall(r"`(\w+)/?`", "".join(cells))) == LAYERS


def test_contributing_names_files_and_tests_that_there_are() -> None:
    """A path is from the root, from a package's `src`, from the commander's own folder there, or a template's name."""
    commander = ROOT / "packages/commander/src/commander"
    sources = [ROOT, *ROOT.glob("packages/*/src"), commander, *commander.glob("*/")]
    tests = {path.name: path for folder in ("packages", "tests") for path in (ROOT / folder).rglob("test_*.py")}
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = contributing.partition("## Adding a metric\n")[2].partition("\n## Devtools")[0]
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|test_\w+\.py)`", recipes)
    assert len(set(named)) > 40
    paths = {name: (name, name.replace("/", "/templates/", 1)) for name in named if "NOUN" not in name}
    assert [
        name
        for name, possible in paths.items()
        if name not in tests and not any((source / path).exists() for source in sources for path in possible)
    ] == []


def test_the_recipes_name_what_the_code_has() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = contributing.partition("## Adding a metric\n")[2].partition("\n## Adding a noun")[0]
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("packages/*/**/*.py"))
    code += (ROOT / "devtools" / "asic_payloads.py").read_text(encoding="utf-8")
    names = set(re.findall(r"`([A-Z][A-Z_]+|[A-Z]\w+[a-z])`", recipes)) - {"None"}
    assert {"CommandAction", "WORDS", "SHIPPED", "JUDGES", "SOURCES", "KINDS", "SETS"} <= names
    assert {name for name in names if not re.search(rf"^(class {name}\b|{name}\b.* = )", code, re.MULTILINE)} == set()


def test_the_docs_name_every_command_and_every_alert_rule() -> None:
    for page, names in (("commands.md", CommandAction), ("alerts.md", RuleName)):
        rows = re.findall(r"^\| (.+) \|$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
        cells = {cell for row in rows for cell in row.split(" | ")}
        assert {f"`{name}`" for name in names} - cells == set(), page


def test_every_page_of_the_docs_has_a_link_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f"](docs/{page.name})" not in readme]
    assert missing == []


def test_the_page_about_playbooks_names_every_placeholder_and_every_shipped_program() -> None:
    page = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `\{(\w+)\}` \| (.+) \|$", page, re.MULTILINE))
    assert rows == BUILT_IN | OF_THE_RIG
    assert all(about.name in page for about in shipped().values())


def test_deploy_and_docs_name_settings_and_figures_that_there_are() -> None:
    files = [*(ROOT / "deploy").iterdir(), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    settings = {f"COMMANDER_{name.upper()}" for name in Settings.__struct_fields__}
    assert set(re.findall(r"COMMANDER_[A-Z][A-Z_]*[A-Z]", text)) - settings == set()
    code = "\n".join(path.read_text() for path in (ROOT / "packages/commander/src").rglob("*.py"))
    told = set(re.findall(r"minewarden_[a-z_]+", (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")))
    assert told
    assert {name for name in told if f'"{name}"' not in code} == set()


def test_pictures_are_few_and_small_and_each_is_shown() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert 0 < len(pictures) <= 6
    assert [each.name for each in pictures if each.stat().st_size > 150_000 or f"images/{each.name}" not in pages] == []


def test_no_text_has_a_word_that_is_hard_to_read() -> None:
    """Readers' first language is often not English. “told.json” is a file's name since version 0.1."""
    files = [
        *(path for path in ROOT.glob("packages/*/src/**/*") if path.suffix in (".py", ".html")),
        *(path for folder in ("docs", "deploy") for path in (ROOT / folder).iterdir() if path.is_file()),
        ROOT / "README.md",
    ]
    hard = re.compile(r"\b(nobody|whoever|whatever|anew|told(?!\.json))\b", re.IGNORECASE)
    lines = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if hard.search(line)
    ]
    assert lines == []


def test_the_page_about_security_names_tests_that_there_are() -> None:
    """Several packages may have a file of that name; a function is in one of those that are named last before it."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    paths = [path for folder in (ROOT / "packages", ROOT / "tests") for path in folder.rglob("test_*.py")]
    named = re.findall(r"`(test_\w+)(\.py)?`", page)
    assert len(named) > 40
    code = ""
    for name, is_file in named:
        if is_file:
            code = "".join(path.read_text(encoding="utf-8") for path in paths if path.stem == name)
            assert code, name
        else:
            assert f"def {name}(" in code, name


def test_the_page_about_playbooks_has_the_sources_of_each_checksum_of_the_catalogue() -> None:
    page = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| (.+), (Linux|Windows) \| `(\w{16})` \| \S.* \| \S.* \|$", page, re.MULTILINE))
    assert rows == {
        (f"{about.name} {about.version}", system, download.sha256[:16])
        for about in shipped().values()
        for system, download in (("Linux", about.linux), ("Windows", about.windows))
        if download and download.sha256
    }


def test_programs_that_make_fetches_have_a_version() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    fetched = re.findall(r"tool run (?:--\S+ )*(\S+)", makefile) + re.findall(r"pip install .*\"(.+?)\"", makefile)
    assert len(fetched) == 2
    for program in fetched:
        assert re.search(r"(?:@|==)\$\(\w+_VERSION\)$", program), program
