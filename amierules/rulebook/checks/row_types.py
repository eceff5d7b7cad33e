"""What the registry rows, persons and results in scope have, as far as it can be said without a registry."""

from collections.abc import Iterator, Mapping
from functools import cache

from amierules.protocol.catalogue import Tag, TagKind, catalogue, person_tags
from amierules.templating.static import A_BOOLEAN, A_TEXT, Nothing, Static, list_of
from amierules.templating.values import DATE, DATETIME, MAPPING, NUMBER, TEXT

_KINDS = {
    TagKind.TEXT: TEXT,
    TagKind.DECIMAL: NUMBER,
    TagKind.DATE: DATE,
    TagKind.DATETIME: DATETIME,
    TagKind.OBJECT: MAPPING,
}


def tag_type(tag: Tag | None, nothing: Nothing) -> Static:
    """The value of a tag; `nothing` says whether one that is no list may be absent."""
    if tag is None or not tag.kind_certain:
        return Static()
    if tag.kind in (TagKind.LIST, TagKind.OBJECTS):
        return list_of(_object(tag) if tag.kind is TagKind.OBJECTS else A_TEXT)
    value = _object(tag) if tag.kind is TagKind.OBJECT else Static(_KINDS[tag.kind])
    why = "a packet may lack it" if nothing is Nothing.MAYBE else ""
    choices = (*tag.values, *tag.accepted_values) if tag.values else ()
    return Static(value.kind, nothing, attributes=value.attributes, what=tag.name, why=why, choices=choices)


def _object(tag: Tag) -> Static:
    # A subtag that is absent is no attribute at all; one that no document knows may still be there.
    return Static(MAPPING, Nothing.NEVER, what=tag.name)


class _Later(Mapping[str, Static]):
    """The attributes of a row; made when they are asked for, since rows point at each other."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, key: str) -> Static:
        return _attributes(self._name)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_attributes(self._name))

    def __len__(self) -> int:
        return len(_attributes(self._name))


_ARTICLES = {"person": "a person", "project": "a project", "allocation": "an allocation", "account": "an account"}
_ROWS = {name: _Later(name) for name in _ARTICLES}


def row(name: str, nothing: Nothing, why: str = "") -> Static:
    """A registry row."""
    return Static(MAPPING, nothing, attributes=_ROWS[name], what=_ARTICLES[name], why=why)


@cache
def _attributes(name: str) -> Mapping[str, Static]:
    text, number, day = Static(TEXT), Static(NUMBER), Static(DATE)
    each = {one: row(one, Nothing.NEVER) for one in _ROWS}
    known: Mapping[str, Mapping[str, Static]] = {
        "person": {
            **{tag: tag_type(catalogue().tag(tag), Nothing.UNSURE) for tag in person_tags()},
            **dict.fromkeys(("person_id", "global_id", "login"), text),
            **dict.fromkeys(("ids", "logins", "dns"), list_of(A_TEXT)),
            "uid": number,
            "state": Static(TEXT, Nothing.NEVER, choices=("active", "suspended")),
            "accounts": list_of(each["account"]),
            **dict.fromkeys(("uids", "data"), Static(MAPPING, Nothing.NEVER)),
        },
        "project": {
            **dict.fromkeys(("project_id", "grant_number", "group", "title"), text),
            "gid": number,
            "pi": row("person", Nothing.UNSURE),
            "data": Static(MAPPING, Nothing.NEVER),
            "active": A_BOOLEAN,
            "resources": list_of(A_TEXT),
            "accounts": list_of(each["account"]),
            "allocations": list_of(each["allocation"]),
        },
        "allocation": {"start": Static(DATE, Nothing.NEVER), "end": day, "units": number},
        "account": {
            "login": text,
            "uid": number,
            "active": A_BOOLEAN,
            "person": each["person"],
            "project": each["project"],
            "resource": A_TEXT,
            "others": list_of(each["account"]),
        },
    }
    return {**known[name], "created": A_BOOLEAN}
