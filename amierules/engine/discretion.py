"""Keeping secrets out of what other sides say: they repeat what they were sent, and not always letter by letter."""

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

from amierules.diagnostics import visible

_CODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
"""What may be base64, in either alphabet."""
_TELLING = 8
"""Characters from which on a part of an address is taken for a secret itself."""
_NO_CHANCE = 4
"""Characters from which on a part of a secret is looked for, and a secret in base64: shorter ones are in anything."""


class Discretion:
    """Secrets that are to be in no text."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._forms: set[str] = set()

    def keep_back(self, secret: str) -> None:
        """A secret, in all forms in which others repeat it; of an address the parts that lead to a place are secret."""
        if secret:
            self._secrets.add(secret)
            parts = [*map(str.strip, secret.splitlines()), *_parts_of_address(secret)]
            for form in (secret, *(part for part in parts if len(part) >= _NO_CHANCE)):
                self._forms.update(_as_repeated(form))

    def keep_back_login(self, user: str, password: str) -> None:
        """A user's password, as it is sent to log in (RFC 4616, and LOGIN)."""
        self.keep_back(password)
        for sent in (f"\0{user}\0{password}", f"{user}\0{user}\0{password}", password):
            coded = base64.b64encode(_bytes(sent)).decode()
            self._forms.update({coded, coded.rstrip("=")} if len(coded) > _TELLING else {coded})

    def hidden(self, text: str) -> str:
        """The text with `***` in place of each of them."""
        text = _CODED.sub(lambda found: "***" if self._is_in_code(found[0]) else found[0], text)
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, "***")
        return text

    def _is_in_code(self, coded: str) -> bool:
        plain = coded.rstrip("=").translate(str.maketrans("-_", "+/"))
        try:
            # Cut off anywhere, it says all the same what came before.
            decoded = base64.b64decode(plain[: len(plain) // 4 * 4] + _rest(plain))
        except binascii.Error:
            return False
        return any(_bytes(secret) in decoded for secret in self._secrets if len(secret) >= _NO_CHANCE)


def _bytes(text: str) -> bytes:
    # What an environment holds need not be UTF-8.
    return text.encode("utf-8", "surrogateescape")


def _rest(plain: str) -> str:
    """The last letters of a code whose length is no multiple of four; a single one says nothing."""
    rest = plain[len(plain) // 4 * 4 :]
    return rest.ljust(4, "=") if len(rest) > 1 else ""


def _parts_of_address(secret: str) -> Iterator[str]:
    if "://" not in secret:
        return
    yield secret.partition("://")[2].partition("/")[2]
    try:
        parts = urlsplit(secret)
    except ValueError:
        return
    yield from (parts.path.strip("/"), parts.query, parts.fragment, parts.password or "")
    for part in re.split(r"[/?&=#;]", f"{parts.path}?{parts.query}#{parts.fragment}"):
        if len(part) >= _TELLING:
            yield part


def _as_repeated(form: str) -> Iterator[str]:
    """A text as it stands in addresses, pages and JSON that repeat it."""
    coded = _bytes(form)
    for one in {form, unquote(form), quote(coded), quote(coded, safe="")}:
        yield from (one, visible(one), html.escape(one), html.escape(one, quote=False), one.replace("/", "\\/"))
