"""Types of settings that several kinds have."""

from typing import Annotated

from msgspec import Meta

WebAddress = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+[^\s]*$", max_length=2000)]
SecureAddress = Annotated[str, Meta(pattern=r"^https://[^\s/?#]+[^\s]*$", max_length=2000)]
Secret = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
FilledSecret = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x20\x7f]+$")]
Line = Annotated[str, Meta(max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$")]
