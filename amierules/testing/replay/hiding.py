"""People's data in packets and registry rows: which they are, and the same packets and rows without them."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from amierules.protocol.catalogue import catalogue
from amierules.rulebook.yaml_writing import AsWritten
from amierules.testing.replay.pseudonyms import Pseudonyms

_NAMING = re.compile(
    r"(Pi|User)?(FirstName|MiddleName|LastName|Email|GlobalID[12]?|(Keep|Delete)(GlobalID|PortalLogin)|RemoteSiteLogin"
    r"|RequestedLoginList|RequesterLogin|NotifierLogin|Login|ResourceLogin(List)?|EmpCode|(Business|Home)PhoneNumber|Fax)"
)
"""Tags whose words name a person, wherever they stand."""
_DNS = re.compile(r"(Pi|User)?(DnList|NewDn)")
_PERSON_IDS = re.compile(r"(Pi|User|Keep|Delete|Primary)?(PersonID[12]?|PersonI[Dd]List|RemoteSiteID)")
_TEXTS = re.compile(
    r"(Pi|User)?(StreetAddress2?|City|State|Zip|OfficeAddress|(Business|Home)Phone(Comment|Extension)|Title|Position"
    r"|FavoriteColor|Comment|ProjectTitle|Abstract|Background|Justification|StatementOfWork|Deliverables|Facilities"
    r"|Methodologies|Milestones|Progress|Qualifications|OtherResources|Support|Applications|Languages"
    r"|ReasonDescription|Message)"
)
"""Tags with a text about a person, or of a person's own."""
_SUBTAGS = {"SitePersonId": ("PersonID",), "AcademicDegree": ("Field",)}
_FIXED = re.compile(
    r"ResourceList|RemoveResourceList|.*(Date|Time)|.*Type|.*Code|.*Units.*|.*Country.*|PfosNumber|Sfos"
)
"""Tags with names of resources, moments, numbers and codes: rules go by them, and they name nobody."""
_COMMON = frozenset({"OK", "ok"})
"""Messages that are nobody's own words."""

_ROW_NAMES = {
    "global_id": "GlobalID",
    "person_id": "PersonID",
    "ids": "PersonID",
    "person": "PersonID",
    "pi": "PersonID",
    "login": "Login",
    "logins": "Login",
    "dns": "DnList",
    "former_global_ids": "GlobalID",
    "title": "ProjectTitle",
    "resource": "ResourceList",
    "resources": "ResourceList",
}
"""Fields of registry rows that hold what these tags do."""

_FREE = "data"
"""The field of a row under which a site keeps what it wants, by its names."""

Treatment = Callable[[str, str], Any]
"""What becomes of a text under a tag."""


class Hider:
    """Learns what there is of people's data, then replaces it."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._names = pseudonyms

    def learn(self, values: Mapping[str, Any]) -> None:
        """The tags of a packet, or the fields of a registry row, that will be hidden."""
        for tag, value in values.items():
            _each(tag, value, self._learn)

    def keep_order(self, logins: Iterable[str]) -> None:
        """What stands for these logins, which have been learned, is in their order."""
        self._names.keep_order(logins)

    def hidden(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The tags or fields without people's data."""
        return {tag: _each(tag, value, self._hide) for tag, value in values.items()}

    def text(self, text: str) -> str:
        """A text of a program, a message or a reason."""
        return self._names.other(text)

    def own_words(self, text: str) -> str:
        """A text that a person has written."""
        return self._names.hide(text)

    def anything(self, value: Any) -> Any:
        """All texts of plain data: under tags and fields of rows as `hidden` has them, others as `text`."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                name: _each(name, one, self._hide) if _is_told(name) else self.anything(one)
                for name, one in value.items()
            }
        return [self.anything(one) for one in value] if isinstance(value, list | tuple) else value

    def _learn(self, tag: str, text: str) -> None:
        name = _ROW_NAMES.get(tag, tag)
        if _DNS.fullmatch(name):
            self._names.learn_dn(text)
        elif _NAMING.fullmatch(name) or (_PERSON_IDS.fullmatch(name) and not text.isdecimal()):
            self._names.learn(text, named=True)
        elif _is_own_text(name, text):
            self._names.learn(text, named=name == "SitePersonId")

    def _hide(self, tag: str, text: str) -> str:
        name = _ROW_NAMES.get(tag, tag)
        if _FIXED.fullmatch(name) and not _NAMING.fullmatch(name):
            return text
        if _DNS.fullmatch(name):
            return self._names.hide_dn(text)
        if _PERSON_IDS.fullmatch(name):
            # A number that the site counts up says nothing of anybody outside it; the same as a uid it stays one.
            return text if text.isdecimal() else self._names.hide(text)
        if _NAMING.fullmatch(name) or _is_own_text(name, text):
            return self._names.hide(text)
        return self._names.other(text)


def _is_told(name: str) -> bool:
    return name in _ROW_NAMES or name == _FREE or name in catalogue().tags


def _is_own_text(name: str, text: str) -> bool:
    if text in _COMMON:
        return False
    return bool(_TEXTS.fullmatch(name)) or name in _SUBTAGS or (name[:1].isupper() and name not in catalogue().tags)


def _each(tag: str, value: Any, change: Treatment) -> Any:
    """The value with each text of it changed; of an object only what names somebody, where that is known."""
    if isinstance(value, AsWritten):
        return value
    if isinstance(value, str):
        return change(tag, value)
    if isinstance(value, Mapping):
        only, free = _SUBTAGS.get(tag), tag == _FREE
        return {
            name: one if only and name not in only else _each(name if free else tag, one, change)
            for name, one in value.items()
        }
    return [_each(tag, one, change) for one in value] if isinstance(value, list | tuple) else value
