"""The front end's files, as the build put them into the package `commander_assets`."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
from litestar.datastructures import CacheControlHeader
from litestar.router import Router
from litestar.static_files import create_static_files_router

from commander.accounts.auth import OPEN

ASSETS_AT = "/assets"
# A file's name changes with its content, so a browser may keep what it has for ever.
FOR_EVER = CacheControlHeader(public=True, max_age=365 * 24 * 3600, immutable=True)


def assets_folder() -> Path:
    return Path(str(files("commander_assets")))


@cache
def _manifest() -> dict[str, str]:
    return msgspec.json.decode((assets_folder() / "manifest.json").read_bytes(), type=dict[str, str])


def asset(name: str) -> str:
    """The address of `app.js`, `style.css` or `icon.svg`."""
    return f"{ASSETS_AT}/{_manifest()[name]}"


def assets_router() -> Router:
    return create_static_files_router(
        path=ASSETS_AT,
        directories=[assets_folder()],
        opt={OPEN: True},
        cache_control=FOR_EVER,
        include_in_schema=False,
    )
