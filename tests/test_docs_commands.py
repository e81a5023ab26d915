"""The docs name the commands and messages that exist, and all commands and options are in the docs."""

import argparse
import ast
import re
from pathlib import Path

import asic_sentry.commands
import cpu_gpu_sentry.cli
import typer
from commander.__main__ import cli
from typer.core import TyperGroup

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "deploy" / "README.md", *(ROOT / "docs").glob("*.md")]
PROGRAMS = ("commander", "cpu-gpu-sentry", "asic-sentry")
EVERYWHERE = {"--help", "--version"}


def of_argparse(parser: argparse.ArgumentParser) -> dict[str, set[str]]:
    """Returns the options of each command."""
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return {
        name: {option for action in command._actions for option in action.option_strings if option.startswith("--")}
        for name, command in commands.choices.items()
    }


def of_click(group: TyperGroup, before: str = "") -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            found |= of_click(command, f"{before}{name} ")
        else:
            shown = [
                each for each in command.params if not getattr(each, "hidden", False)
            ]  # others are for our scripts
            found[f"{before}{name}"] = {option for each in shown for option in each.opts if option[:2] == "--"}
    return found


def all_commands() -> dict[str, dict[str, set[str]]]:
    typed = typer.main.get_command(cli)
    assert isinstance(typed, TyperGroup)
    return {
        "commander": of_click(typed),
        "cpu-gpu-sentry": of_argparse(cpu_gpu_sentry.cli.command_line()._parser),
        "asic-sentry": of_argparse(asic_sentry.commands.command_line()._parser),
    }


def code_of(page: Path) -> list[str]:
    """Returns the page's code: what stands between backquotes, in fences, or is indented as a block."""
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"(?<=\n\n)(?: {4}.*\n?)+", rest)
    spans = re.findall(r"`([^`]+)`", rest)
    lines = [line.strip() for each in (*fences, *blocks) for line in re.sub(r"\\\n\s*", " ", each).splitlines()]
    return [*lines, *(" ".join(span.split()) for span in spans)]


def commands_in_docs() -> set[tuple[str, str]]:
    start = r"(?:^|sudo |bin/|[;|&=…] )"  # in the middle of a line it may be a word of a message
    program = re.compile(rf"{start}({'|'.join(PROGRAMS)})(?:\.exe)? ((?:api-key )?[a-z][a-z-]+)\b")
    return {found for page in PAGES for code in code_of(page) for found in program.findall(code)}


def test_commands_in_the_docs_exist_and_all_that_exist_are_there() -> None:
    exist = {(program, command) for program, commands in all_commands().items() for command in commands}
    named = commands_in_docs()
    assert named - exist == set()
    assert exist - named == set()


def test_all_options_are_in_the_docs() -> None:
    code = " ".join(code for page in PAGES for code in code_of(page))
    named = set(re.findall(r"--[a-z][a-z-]+", code)) | EVERYWHERE
    missing = {
        f"{program} {command} {option}"
        for program, commands in all_commands().items()
        for command, options in commands.items()
        for option in options - named
    }
    assert missing == set()


def texts_of_the_product() -> str:
    """Returns every text of the packages: strings of the code, with … for values, templates, and the pages' scripts."""
    parts = []
    for path in sorted(ROOT.glob("packages/*/src/**/*")):
        if path.suffix == ".py":
            parts += strings_of(ast.parse(path.read_text(encoding="utf-8")))
        elif path.suffix == ".html":
            parts.append(path.read_text(encoding="utf-8"))
    parts += [path.read_text(encoding="utf-8") for path in ROOT.glob("packages/commander/frontend/src/**/*.ts")]
    return " ".join(" ".join(parts).split())


def strings_of(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def test_the_page_about_troubleshooting_quotes_the_product() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    product = texts_of_the_product()
    quoted = re.findall(r"“([^“”]+(?:“[^”]+”[^“”]*)?)”", " ".join(page.split()))
    assert len(quoted) > 40
    assert [each for each in quoted if each.removesuffix("…").strip() not in product] == []
