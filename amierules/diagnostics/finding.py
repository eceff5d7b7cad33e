"""A finding: one thing that is wrong, where it stands, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: an error breaks or parks a packet, a warning may, a note only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file. Line and column count from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    length: int = 1
    """How many characters of the line the finding is about."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `code` is stable: scripts may rely on it."""

    code: str
    message: str
    place: Place | None = None
    hint: str = ""
    severity: Severity = Severity.ERROR

    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Orders findings by file, line and column; those without a place come first."""
        place = self.place or Place("")
        return place.file, place.line, place.column, self.code, self.message

    def as_json(self) -> dict[str, object]:
        """The finding as `validate --format json` prints it."""
        place = self.place or Place("")
        return {
            "file": place.file or None,
            "line": place.line or None,
            "column": place.column or None,
            "severity": str(self.severity),
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }
