"""The characters that AMIE carries: tab, line feed, carriage return and octal 040 to 177 (AMIE in XSEDE, 2012)."""

import re
from typing import Literal

from anyascii import anyascii

Charset = Literal["transliterate", "reject"]
"""What is done with other characters in values that we send."""

_OTHER = re.compile(r"[^\t\n\r\x20-\x7f]")


def first_other(text: str) -> str | None:
    """The first character that AMIE does not carry, or None."""
    found = _OTHER.search(text)
    return found[0] if found else None


def transliterated(text: str) -> str:
    """The text in the characters that AMIE carries: letters as near as ASCII has them, control characters left out."""
    return _OTHER.sub("", anyascii(text)) if first_other(text) else text
