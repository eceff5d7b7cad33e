"""What registry files may say of a row: the fields of each kind, and their texts made into values."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final

from amierules.diagnostics import Place, printable
from amierules.protocol.catalogue import TagKind, catalogue, person_tags

KINDS: Final = ("persons", "projects", "allocations", "accounts")
"""The lists of a registry file, in the order in which they are taken in."""
SINGULAR: Final[Mapping[str, str]] = {
    "persons": "person",
    "projects": "project",
    "allocations": "allocation",
    "accounts": "account",
}


class FieldType(StrEnum):
    """What a field holds. An id is one line; a text may have several."""

    ID = "id"
    TEXT = "text"
    STATE = "state"
    NUMBER = "number"
    AMOUNT = "amount"
    DATE = "date"
    BOOLEAN = "boolean"
    LIST = "list"
    RESOURCES = "resources"
    OBJECTS = "objects"
    MAPPING = "mapping"


# Tags of a person that the row has places of its own for, or that are wishes and no facts.
_NOT_FIELDS = frozenset(
    {"PersonID", "GlobalID", "DnList", "RequestedLoginList", "SitePersonId", "RemoteSiteLogin", "UID"}
)


def _tag_type(name: str) -> FieldType:
    tag = next((tag for prefix in ("", "User", "Pi") if (tag := catalogue().tag(prefix + name)) is not None), None)
    kinds = {TagKind.LIST: FieldType.LIST, TagKind.OBJECTS: FieldType.OBJECTS}
    return kinds.get(tag.kind, FieldType.TEXT) if tag is not None else FieldType.TEXT


TAGS: Final[Mapping[str, FieldType]] = {name: _tag_type(name) for name in person_tags() if name not in _NOT_FIELDS}
"""The tags of a person that stand beside a row's own fields."""
FIELDS: Final[Mapping[str, Mapping[str, FieldType]]] = {
    "persons": {
        **dict.fromkeys(("person_id", "global_id", "login"), FieldType.ID),
        **dict.fromkeys(("logins", "ids", "dns"), FieldType.LIST),
        "uid": FieldType.NUMBER,
        "state": FieldType.STATE,
        "data": FieldType.MAPPING,
        **TAGS,
    },
    "projects": {
        **dict.fromkeys(("project_id", "grant_number", "group", "pi"), FieldType.ID),
        "gid": FieldType.NUMBER,
        "title": FieldType.TEXT,
        "active": FieldType.BOOLEAN,
        "resources": FieldType.RESOURCES,
        "data": FieldType.MAPPING,
    },
    "allocations": {
        **dict.fromkeys(("project", "resource"), FieldType.ID),
        **dict.fromkeys(("start", "end"), FieldType.DATE),
        "units": FieldType.AMOUNT,
    },
    "accounts": {
        **dict.fromkeys(("person", "project", "resource", "login"), FieldType.ID),
        "active": FieldType.BOOLEAN,
    },
}
REQUIRED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "persons": (("person_id", "global_id"),),
    "projects": (("project_id", "grant_number"),),
    "allocations": (("project",), ("start",)),
    "accounts": (("person",), ("project",)),
}
"""Of each group of fields, an entry must have one."""


class Gone(Enum):
    """Says that a tag or free key is to be taken away; None is a value that one may have."""

    GONE = "gone"


@dataclass
class Entry:
    """What a file, or a command line, says of one row. A value that is None is to be taken away."""

    kind: str
    place: Place | None
    values: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    """Tags of a person and free keys; `Gone.GONE` takes one away."""
    places: dict[str, Place] = field(default_factory=dict)
    key: str | None = None
    """The key of the row that is meant, where it is known already."""

    def at(self, name: str) -> Place | None:
        """Where a field stands."""
        return self.places.get(name, self.place)

    def give(self, name: str, value: Any) -> None:
        """Sets a field. Raises `ValueError` for a name that stands there already."""
        if name == "data":
            for key, one in value.items():
                self._give_data(key, one)
        elif self.kind == "persons" and name in TAGS:
            self._give_data(name, value)
        else:
            self.values[name] = value

    def _give_data(self, name: str, value: Any) -> None:
        if name in self.data:
            raise ValueError(f"'{printable(name, 60)}' is given twice, by itself and under 'data'")
        self.data[name] = value

    def missing(self) -> list[str]:
        """What an entry of this kind must have and this one lacks: `person_id or global_id`."""
        return [" or ".join(group) for group in REQUIRED[self.kind] if not any(self.values.get(one) for one in group)]


MAX_ID = 255
MAX_DN = 1000
MAX_NUMBER = 4_294_967_294
_AMOUNT = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{0,30})?")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def value_of(kind: FieldType, text: str) -> Any:
    """The value that a text stands for. Raises `ValueError` with the reason where it stands for none."""
    match kind:
        case FieldType.ID:
            return checked_id(text)
        case FieldType.STATE:
            if text not in ("active", "suspended"):
                raise ValueError(f"must be active or suspended, not '{printable(text, 60)}'")
            return text
        case FieldType.NUMBER:
            if not re.fullmatch("[0-9]{1,10}", text, re.ASCII) or not 0 < int(text) <= MAX_NUMBER:
                raise ValueError(f"must be a whole number from 1 to {MAX_NUMBER}, not '{printable(text, 60)}'")
            return int(text)
        case FieldType.AMOUNT:
            if not _AMOUNT.fullmatch(text):
                raise ValueError(f"must be a number like 1000 or 1000.50, not '{printable(text, 60)}'")
            return Decimal(text)
        case FieldType.BOOLEAN:
            if text.lower() not in _BOOLEANS:
                raise ValueError(f"must be true or false, not '{printable(text, 60)}'")
            return _BOOLEANS[text.lower()]
        case FieldType.DATE:
            return _date(text)
        case FieldType.LIST:
            return tuple(checked_id(part.strip(), MAX_DN) for part in text.split(";") if part.strip())
        case FieldType.RESOURCES:
            return {checked_id(part.strip()): None for part in text.split(";") if part.strip()}
        case FieldType.TEXT:
            return checked_text(text)
    raise ValueError("can be given in a YAML file only")


def checked_id(text: str, longest: int = MAX_ID) -> str:
    """The text, as an id or name. Raises `ValueError` where it is empty, too long, or has control characters."""
    if not text:
        raise ValueError("is empty")
    if len(text) > longest:
        raise ValueError(f"has more than {longest} characters")
    _refuse_controls(text, "")
    return text


def checked_text(text: str) -> str:
    """The text. Raises `ValueError` where it has control characters other than line ends and tabs."""
    _refuse_controls(text, "\n\r\t")
    return text


def checked_data(value: object) -> None:
    """Raises `ValueError` where a text anywhere in the value has control characters."""
    if isinstance(value, str):
        checked_text(value)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            checked_data(name)
            checked_data(one)
    elif isinstance(value, list | tuple):
        for one in value:
            checked_data(one)


def _refuse_controls(text: str, allowed: str) -> None:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in allowed:
            raise ValueError(f"has the control character {printable(character)}")


def _date(text: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"must be a date like 2025-10-01, not '{printable(text, 60)}'")
