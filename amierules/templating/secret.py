"""Handles of secrets: they print as `***`, and only the code that needs the text reveals it."""

from collections.abc import Iterable


class Secret:
    """A text that must not be shown. `str` and `repr` give `***`; a text that holds a secret is a secret as a whole."""

    __slots__ = ("_text", "recipe")

    def __init__(self, text: str, recipe: "Recipe | None" = None) -> None:
        self._text = text
        self.recipe = recipe
        """How the text is put together of plain texts and of named secrets; None where nobody knows."""

    def reveal(self) -> str:
        """The secret text. Never put it into a plan, log, journal or digest."""
        return self._text

    def __str__(self) -> str:
        return "***"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


class SecretName(str):
    """The name that the configuration gives a secret."""

    __slots__ = ()


Recipe = tuple[str | SecretName, ...]


def secret_text(parts: Iterable[str | Secret]) -> str | Secret:
    """The parts joined: a `Secret` if any of them is one, else a text."""
    listed = list(parts)
    text = "".join(part.reveal() if isinstance(part, Secret) else part for part in listed)
    return Secret(text, _joined(listed)) if any(isinstance(part, Secret) for part in listed) else text


def _joined(parts: list[str | Secret]) -> Recipe | None:
    recipes = [part.recipe if isinstance(part, Secret) else (part,) for part in parts]
    known = [recipe for recipe in recipes if recipe is not None]
    return tuple(part for recipe in known for part in recipe) if len(known) == len(recipes) else None
