"""Options of `registry import` made into values."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from amierules.diagnostics import Finding, Invalid, NotAllowed, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.directories import directory_of
from amierules.engine.registry.directory_accounts import DirectoryOptions, read_directory, sayable
from amierules.engine.registry.joining import JoinOptions
from amierules.engine.registry.unix_accounts import UnixAccounts
from amierules.rulebook.configuration import Configuration

_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})", re.ASCII)
_ATTRIBUTE = re.compile(r"([A-Za-z_]+)=([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\\.[0-9]+)+)", re.ASCII)
_IDS = frozenset({"project_id", "grant_number"})


class NewPersonId(StrEnum):
    """What becomes the PersonID of a new person."""

    uid = "uid"
    login = "login"


LdapOption = Annotated[
    bool, typer.Option("--ldap", help="Take accounts and groups of the directory in that `ldap` names.")
]
LdapAccountsOption = Annotated[
    str | None, typer.Option(metavar="FILTER", help="Which entries are accounts; all posixAccounts by default.")
]
LdapGroupsOption = Annotated[
    str | None, typer.Option(metavar="FILTER", help="Which entries are groups; all posixGroups by default.")
]
LdapAttributeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=NAME", help="The attribute that says it: global_id=employeeNumber. Repeatable."),
]


def join_options(projects: str | None, uids: str | None, person_id: NewPersonId, resource: str | None) -> JoinOptions:
    """The options of how accounts become persons, and groups projects. Raises `NotAllowed`."""
    ranges = tuple(_range(one.strip()) for one in uids.split(",")) if uids is not None else ()
    return JoinOptions(ranges, person_id.value, _pattern(projects) if projects is not None else None, resource)


def directory_options(
    accounts: str | None, groups: str | None, attributes: Sequence[str] | None, *, ldap: bool
) -> DirectoryOptions:
    """The options of which entries are taken in, and of what their attributes say; with `ldap` alone.

    Raises `NotAllowed`.
    """
    usual, attributes = DirectoryOptions(), attributes or ()
    if not ldap and (accounts or groups or attributes):
        raise NotAllowed(Finding("usage", "nothing is taken from the directory without --ldap", hint="add --ldap"))
    named = dict(_attribute(one) for one in attributes)
    return DirectoryOptions(accounts or usual.accounts, groups or usual.groups, named)


def accounts_of_directory(configuration: Configuration, options: DirectoryOptions) -> UnixAccounts:
    """The accounts and groups of the site's directory. Raises `Invalid` where none is configured, and `Unavailable`."""
    if configuration.ldap is None:
        hint = "add a section `ldap`: docs/directory.md"
        raise Invalid(Finding("directory", "the configuration names no directory", hint=hint))
    return read_directory(directory_of(configuration), configuration.ldap, options)


def _attribute(text: str) -> tuple[str, str]:
    matched = _ATTRIBUTE.fullmatch(text)
    if matched is None:
        message = f"--ldap-attribute '{printable(text, 60)}' says nothing"
        raise NotAllowed(Finding("usage", message, hint="write it like global_id=employeeNumber"))
    if matched[1] not in sayable():
        message = f"no attribute can say '{printable(matched[1], 60)}' of a person or project"
        raise NotAllowed(Finding("usage", message, hint=hint_for(matched[1], sayable())))
    return matched[1], matched[2]


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
