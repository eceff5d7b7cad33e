"""Argument lists whose words may be unknown or secret: how they are shown, and whether they can be run."""

import shlex
from collections.abc import Iterable
from typing import Any, TypeGuard

from amierules.actions.base import Word
from amierules.diagnostics import printable
from amierules.templating import Secret, Unknown


def all_known(words: list[Any]) -> TypeGuard[list[str | Secret]]:
    """Whether no word is `Unknown`, so that the words can be run."""
    return not any(isinstance(word, Unknown) for word in words)


def shown(value: object) -> str:
    """A value for people: unknown ones say after which step they are known, secrets are `***`."""
    if isinstance(value, Unknown):
        known_after = f"known after {value.step}"
        return f"({known_after}, probably {shown(value.expected)})" if value.has_expected else f"({known_after})"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return printable(value)


def shown_command(words: Iterable[Word], limit: int = 200) -> str:
    """The words as one line that a shell would split again, at most `limit` characters of it."""
    return printable(" ".join(shlex.quote(word) if isinstance(word, str) else shown(word) for word in words), limit)


def last_line(text: str) -> str:
    """The last line of a program's output that is not blank, made safe to show; `''` where there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(lines[-1]) if lines else ""


def without_secrets(secrets: Iterable[Secret], text: str) -> str:
    """The text without what a program was given in secret: it may print it back."""
    for secret in secrets:
        text = secret.hide(text)
    return text
