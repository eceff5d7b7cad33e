"""A value that exists only after an earlier change: it is passed on whole, and any other use raises."""

from enum import Enum
from typing import Final, NoReturn


class UnknownUsed(Exception):
    """An unknown value was needed; `step` is the path of the step that will make it known."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


class Missing(Enum):
    """The type of `MISSING`; an enumeration, so that it stays itself when copied or pickled."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Unknown:
    """A value known only after `step` was applied; `expected` is what it will probably be, where that can be told.

    Every operation on it raises `UnknownUsed`, `repr` and hashing too: whoever may meet one asks `isinstance` first.
    """

    __slots__ = ("expected", "step")

    step: str
    expected: object

    def __init__(self, step: str, expected: object = MISSING) -> None:
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "expected", expected)

    @property
    def has_expected(self) -> bool:
        """Whether a probable value is known."""
        return self.expected is not MISSING

    def __copy__(self) -> "Unknown":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Unknown":
        return self

    def __reduce__(self) -> tuple[type["Unknown"], tuple[str, object]]:
        return Unknown, (self.step, self.expected)

    def __getattr__(self, name: str) -> NoReturn:
        # Python and its libraries look for optional protocols (`__array__`, `__html__`) with getattr and a default.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise UnknownUsed(self.step)


def _used(self: Unknown, *_args: object, **_named: object) -> NoReturn:
    raise UnknownUsed(self.step)


_ARITHMETIC = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or"
_OPERATIONS = (
    "str repr format bytes bool hash len length_hint iter next reversed contains getitem setitem delitem call "
    "eq ne lt le gt ge neg pos abs invert int float complex index round trunc floor ceil fspath setattr delattr "
    "enter exit aiter anext await"
)

for _name in [*_OPERATIONS.split(), *(p + n for n in _ARITHMETIC.split() for p in ("", "r", "i"))]:
    setattr(Unknown, f"__{_name}__", _used)
