"""The front end's files, as the build put them into the package `commander_assets`, kept in memory."""

import gzip
import mimetypes
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from commander.accounts.auth import OPEN
from commander.web.compression import SMALLEST_BYTES, ZSTD, accepted

ASSETS_AT = "/assets"
SERVED = frozenset({".js", ".css", ".svg", ".txt"})
NOTICES = "THIRD-PARTY-NOTICES.txt"
# A file's name changes with its content, so a browser may keep what it has for ever.
HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


def assets_folder() -> Path:
    return Path(str(files("commander_assets")))


@cache
def _manifest() -> dict[str, str]:
    return msgspec.json.decode((assets_folder() / "manifest.json").read_bytes(), type=dict[str, str])


def asset(name: str) -> str:
    """The address of `app.js`, `style.css` or `icon.svg`."""
    return f"{ASSETS_AT}/{_manifest()[name]}"


@cache
def _assets() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in assets_folder().iterdir() if path.suffix in SERVED}


@cache
def _packed(name: str, encoding: str) -> bytes:
    """Compresses a file once, as much as possible."""
    plain = _assets()[name]
    return zstandard.compress(plain, 19) if encoding == ZSTD.name else gzip.compress(plain, 9, mtime=0)


@get("/assets/{name:str}", opt={OPEN: True}, include_in_schema=False)
async def asset_file(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Returns a file by its name. A request never reads the disk."""
    plain = _assets().get(name)
    if plain is None:
        raise NotFoundException("There is no such file.")
    media_type = mimetypes.guess_type(name)[0]
    encodings = accepted(request.headers.get("accept-encoding"))
    if len(plain) < SMALLEST_BYTES or not encodings:
        return Response(plain, media_type=media_type, headers=HEADERS)
    best = encodings[0].name
    return Response(_packed(name, best), media_type=media_type, headers={**HEADERS, "Content-Encoding": best})
