"""Options of `registry import` made into values."""

import re
from enum import StrEnum

from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.engine.registry.joining import JoinOptions

_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})", re.ASCII)
_IDS = frozenset({"project_id", "grant_number"})


class NewPersonId(StrEnum):
    """What becomes the PersonID of a new person."""

    uid = "uid"
    login = "login"


def join_options(projects: str | None, uids: str | None, person_id: NewPersonId, resource: str | None) -> JoinOptions:
    """The options of how accounts become persons, and groups projects. Raises `NotAllowed`."""
    ranges = tuple(_range(one.strip()) for one in uids.split(",")) if uids is not None else ()
    return JoinOptions(ranges, person_id.value, _pattern(projects) if projects is not None else None, resource)


def _range(text: str) -> tuple[int, int]:
    matched = _RANGE.fullmatch(text)
    if matched is None or int(matched[1]) > int(matched[2]):
        raise NotAllowed(Finding("usage", f"'{printable(text, 60)}' is no range of uids", hint="like 20000-29999"))
    return int(matched[1]), int(matched[2])


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise NotAllowed(Finding("usage", printable(f"--projects is no regular expression: {error}"))) from None
    unknown = sorted(set(pattern.groupindex) - _IDS)
    if unknown:
        message = f"--projects names '{printable(unknown[0], 60)}', which no project has"
        raise NotAllowed(Finding("usage", message, hint="(?P<project_id>...) or (?P<grant_number>...)"))
    return pattern
