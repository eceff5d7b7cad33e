"""What the parser of the command line says of wrong usage, in our words."""

import re
from typing import Any

import typer
from typer.core import TyperGroup

# Newer versions of typer than pyproject.toml names say it in the words of pydantic; a distribution may have one.
_REWORDED = (
    (re.compile(r".* is not a valid int(eger)?( range)?\.", re.DOTALL), "it must be a whole number"),
    (re.compile(r".* is not in the range x>=([-0-9]+)\.", re.DOTALL), r"it must be at least \1"),
    (re.compile(r".* is not in the range ([-0-9]+)<=x<=([-0-9]+)\.", re.DOTALL), r"it must be from \1 to \2"),
    (re.compile(r"Input should be a valid integer.*", re.DOTALL), "it must be a whole number"),
    (re.compile(r"Input should be greater than or equal to ([-0-9]+)"), r"it must be at least \1"),
    (re.compile(r"Input should be less than or equal to ([-0-9]+)"), r"it must be at most \1"),
    (re.compile(r"Input should be "), "it must be "),
    (re.compile(r"Value error, "), ""),
)


def reworded(message: str) -> str:
    """The parser's message as a person reads it."""
    for pattern, words in _REWORDED:
        message = pattern.sub(words, message)
    return message


class Commands(TyperGroup):
    """A group of commands whose usage errors are in our words."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that the words name. Raises `typer.BadParameter`."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = reworded(error.message)
            raise
