"""A hook of mkdocs for `make docs-site`: adds the pages outside of docs/, and makes the navigation from README.md.

README.md lists the pages of docs/, so there is no second list; a page that its list lacks goes to the end. In the
repository, links lead to files; in the site they lead to its pages. A link to a file that is no page becomes its text.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "deploy/README.md": "deploy.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(#[^)]*)?\)")
_IMAGE = re.compile(r"(!\[[^\]]*\]\()docs/")
_ITEM = re.compile(r"^( *)\* (?:\[([^\]]+)\]\(([^)]+)\)|(.+))", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = navigation((ROOT / "README.md").read_text(encoding="utf-8"))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, name in OUTSIDE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_IMAGE.sub(r"\1", text)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    source = next((path for path, name in OUTSIDE.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}")
    folder = (ROOT / source).parent
    return _LINK.sub(lambda link: _in_the_site(link, folder), markdown)


def navigation(readme: str) -> list[Any]:
    """Returns the list under “Documentation” as mkdocs wants it: pages, and sections of pages."""
    nav: list[Any] = [{"Minewarden": "index.md"}]
    for indent, title, path, section in _ITEM.findall(readme.partition("\n## Documentation\n")[2]):
        if section and not indent:
            nav.append({section: []})
        elif path:
            page = {title: OUTSIDE.get(path, path.removeprefix("docs/"))}
            (next(iter(nav[-1].values())) if indent else nav).append(page)
    listed = {path for _, _, path, _ in _ITEM.findall(readme)}
    more = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"docs/{page.name}" not in listed]
    return [*nav, *more, {"Contributing": "contributing.md"}, {"Changelog": "changelog.md"}]


def _in_the_site(link: re.Match[str], folder: Path) -> str:
    text, target, anchor = link.groups()
    path = (folder / target).resolve()
    if not path.is_relative_to(ROOT):
        return link[0]
    inside = path.relative_to(ROOT).as_posix()
    if name := OUTSIDE.get(inside) or (OUTSIDE.get("deploy/README.md") if inside == "deploy" else None):
        return f"[{text}]({name}{anchor or ''})"
    return f"[{text}]({inside.removeprefix('docs/')}{anchor or ''})" if inside.startswith("docs/") else f"{text}"
