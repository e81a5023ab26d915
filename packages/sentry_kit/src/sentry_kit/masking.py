"""What must not reach logs or pages in full: tokens, and the accounts that people mine for."""

import logging
import re

_TOKEN = re.compile(r"(mw_(?:rig|asic|site)_[0-9a-f]{4})[0-9a-f_]+")


def mask(text: str) -> str:
    """`text` with the secret of every token in it cut off."""
    return _TOKEN.sub(r"\1…", text)


def mask_account(account: str | None) -> str | None:
    """A wallet or account as it may be shown: its ends, enough to tell two of them apart."""
    if account is None or len(account) <= 8:
        return account
    return f"{account[:4]}…{account[-4:]}"


class MaskingFormatter(logging.Formatter):
    """Masks whatever a log line was made of, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))
