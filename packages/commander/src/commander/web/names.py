"""The body of a request that names something."""

from typing import Annotated

import msgspec

NAME_SCHEMA = {
    "description": "1 to 64 letters, digits, spaces and . _ - : # ( ) + @ / beginning with a letter or digit",
    "extra": {"minLength": 1, "maxLength": 64, "pattern": r"^ *\w[\w .:#()+@/-]*$"},
}


class NewName(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(extra_json_schema=NAME_SCHEMA)]
