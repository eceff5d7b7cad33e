"""Handles of secrets: they print as `***`, and only the code that needs the text reveals it."""

from collections.abc import Iterable
from types import MappingProxyType

from amierules.templating.problems import EvaluationError

WITHHELD = "what was printed in secret is not kept, and cannot be handed on"


class Secret:
    """A text that must not be shown. `str` and `repr` give `***`; a text that holds a secret is a secret as a whole."""

    __slots__ = ("_parts", "_text", "recipe")

    def __init__(self, text: str, parts: Iterable[str] = (), recipe: "Recipe | None" = None) -> None:
        """`parts` are the secrets that a longer text was put together from; by default it is one itself."""
        self._text = text
        self._parts = frozenset(parts) or frozenset({text})
        self.recipe = recipe
        """How the text is put together of plain texts and of named secrets; None where nobody knows."""

    def reveal(self) -> str:
        """The secret text. Never put it into a plan, log, journal or digest."""
        return self._text

    @property
    def parts(self) -> frozenset[str]:
        """The secrets that the text was put together from."""
        return self._parts

    def hide(self, text: str) -> str:
        """`text` with `***` in place of every secret that is in this one, and of each of its lines."""
        lines = {line.strip() for part in self._parts for line in (part, *part.splitlines())} - {""}
        for line in sorted(lines, key=len, reverse=True):
            text = text.replace(line, str(self))
        return text

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


class Withheld(Secret):
    """A secret whose text is not kept: what a command of secret output printed. It can be shown, and not be used."""

    def __init__(self) -> None:
        super().__init__("***")

    def reveal(self) -> str:
        """Raises `EvaluationError`."""
        raise EvaluationError(WITHHELD, "secret-used")


class Unread(Secret):
    """A secret that cannot be read here and now: for what is only kept by its name, and needs its text elsewhere."""

    __slots__ = ("_error",)

    def __init__(self, recipe: "Recipe | None", error: EvaluationError) -> None:
        """`error` says why it cannot be read."""
        super().__init__("", recipe=recipe)
        self._error = error

    def reveal(self) -> str:
        """Raises `EvaluationError`."""
        raise self._error

    def joined(self, recipe: "Recipe | None") -> "Unread":
        """A longer text with this secret in it."""
        return Unread(recipe, self._error)

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unread) and self.recipe == other.recipe

    def __hash__(self) -> int:
        return hash((Unread, self.recipe))


class SecretName(str):
    """The name that the configuration gives a secret."""

    __slots__ = ()


Recipe = tuple[str | SecretName, ...]


def secret_text(parts: Iterable[str | Secret]) -> str | Secret:
    """The parts joined: a `Secret` if any of them is one, else a text."""
    listed = list(parts)
    secrets = [part for part in listed if isinstance(part, Secret)]
    withheld = next((part for part in secrets if isinstance(part, Withheld)), None)
    if withheld is not None:
        return withheld
    unread = next((part for part in secrets if isinstance(part, Unread)), None)
    if unread is not None:
        return unread.joined(_joined(listed))
    text = "".join(part.reveal() if isinstance(part, Secret) else part for part in listed)
    if not secrets:
        return text
    return Secret(text, frozenset().union(*(part.parts for part in secrets)), _joined(listed))


def secrets_in(value: object) -> list[Secret]:
    """The secrets that a value is or holds, in its lists and mappings too."""
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, dict | MappingProxyType):
        # Registry rows are mappings too; they point at each other, and hold no secrets.
        return [found for element in value.values() for found in secrets_in(element)]
    if isinstance(value, list | tuple):
        return [found for element in value for found in secrets_in(element)]
    return []


def _joined(parts: list[str | Secret]) -> Recipe | None:
    recipes = [part.recipe if isinstance(part, Secret) else (part,) for part in parts]
    known = [recipe for recipe in recipes if recipe is not None]
    return tuple(part for recipe in known for part in recipe) if len(known) == len(recipes) else None
