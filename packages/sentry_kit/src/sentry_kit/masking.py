"""Masks tokens and accounts in logs and pages."""

import logging
import re

_TOKEN = re.compile(r"(mw_(?:rig|asic|site)_[0-9a-f]{4})[0-9a-f_]+")


def mask(text: str) -> str:
    """Returns the text with the secret of every token cut off."""
    return _TOKEN.sub(r"\1…", text)


def mask_account(account: str | None) -> str | None:
    """Returns the ends of a wallet or account, enough to distinguish two of them."""
    if account is None or len(account) <= 8:
        return account
    return f"{account[:4]}…{account[-4:]}"


class MaskingFormatter(logging.Formatter):
    """Masks whole log lines, with their tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))
