"""Reading a directory: the accounts and groups of a running site, and what it knows of persons and projects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from amierules.diagnostics import Finding, Invalid, Place, Unavailable, printable
from amierules.engine.registry.fields import FIELDS, MAX_DN, TAGS, FieldType, checked_id, checked_text
from amierules.engine.registry.unix_accounts import UnixAccount, UnixAccounts, UnixGroup, number
from amierules.ports import Directory, DirectoryError, Entry, Trouble
from amierules.rulebook.ldap_section import LdapSection

T = TypeVar("T")

PERSON_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "login": "uid",
        "uid": "uidNumber",
        "gid": "gidNumber",
        "name": "cn",
        "FirstName": "givenName",
        "LastName": "sn",
        "Email": "mail",
    }
)
"""The attributes of an account, by what they say (RFC 2307, RFC 2798); people may name others, and further ones."""
GROUP_ATTRIBUTES: Mapping[str, str] = MappingProxyType({"group": "cn", "gid": "gidNumber"})
"""The attributes of a group."""
_MEMBERS, _MEMBER_DNS = ("memberUid",), ("member", "uniqueMember")
_PERSON_VALUES, _GROUP_VALUES = ("person_id", "global_id", "dns"), ("project_id", "grant_number", "title")
_NAME_TAGS = ("FirstName", "LastName")
_AWAY = frozenset({Trouble.AWAY, Trouble.BUSY, Trouble.LOST})


def sayable() -> tuple[str, ...]:
    """What an attribute may be named for, of accounts and of groups."""
    tags = (name for name, kind in TAGS.items() if kind is FieldType.TEXT)
    return tuple(dict.fromkeys((*PERSON_ATTRIBUTES, *_PERSON_VALUES, *GROUP_ATTRIBUTES, *_GROUP_VALUES, *tags)))


@dataclass(frozen=True)
class DirectoryOptions:
    """Which entries are accounts and groups, and which attributes say what."""

    accounts: str = "(objectClass=posixAccount)"
    groups: str = "(objectClass=posixGroup)"
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes by what they say, beside or instead of the usual ones."""

    def person(self) -> Mapping[str, str]:
        """The attributes of accounts."""
        named = {say: name for say, name in self.attributes.items() if say not in _GROUP_VALUES and say != "group"}
        return {**PERSON_ATTRIBUTES, **named}

    def group(self) -> Mapping[str, str]:
        """The attributes of groups."""
        known = (*GROUP_ATTRIBUTES, *_GROUP_VALUES)
        return {**GROUP_ATTRIBUTES, **{say: name for say, name in self.attributes.items() if say in known}}


def read_directory(directory: Directory, section: LdapSection, options: DirectoryOptions) -> UnixAccounts:
    """The accounts below the base `people` and the groups below `groups`, and what of them cannot be used.

    Raises `Unavailable` where the server is away, `Invalid` where it refuses to search.
    """
    found, logins = UnixAccounts(), dict[str, str]()
    for entry in _entries(directory, section, "people", options.accounts, tuple(options.person().values())):
        account = _taken(_account, entry, options.person(), found.findings)
        if account is not None:
            found.accounts.append(account)
            logins[_folded(entry.dn)] = account.login
    asked = (*options.group().values(), *_MEMBERS, *_MEMBER_DNS)
    for entry in _entries(directory, section, "groups", options.groups, asked):
        group = _taken(partial(_group, logins=logins), entry, options.group(), found.findings)
        if group is not None:
            found.groups.append(group)
    return found


def _entries(
    directory: Directory, section: LdapSection, base: str, filter_text: str, attributes: Sequence[str]
) -> Iterator[Entry]:
    where = section.bases.get(base, section.base)
    try:
        yield from directory.every(where, filter_text, attributes)
    except DirectoryError as error:
        message = f"the directory cannot be searched below {printable(where, 80)}: {printable(error)}"
        finding = Finding("directory", message, hint="check the section `ldap`, and the filter")
        raise (Unavailable if error.trouble in _AWAY else Invalid)(finding) from error


def _taken(
    read: Callable[[Entry, Mapping[str, str]], T], entry: Entry, attributes: Mapping[str, str], findings: list[Finding]
) -> T | None:
    """What an entry says; None where it cannot be used, which is a finding."""
    try:
        return read(entry, attributes)
    except ValueError as error:
        message = f"the entry {printable(error)}"
        hint = "correct the entry, or leave it out by --ldap-accounts or --ldap-groups"
        findings.append(Finding("account-entry", message, _place(entry), hint))
    return None


def _account(entry: Entry, attributes: Mapping[str, str]) -> UnixAccount:
    said = _said(entry, attributes)
    values = {name: said[name] for name in _PERSON_VALUES if said.get(name)}
    tags = {name: value for name, value in said.items() if name in TAGS and value}
    name = said["name"] or ""
    if not all(tags.get(one) for one in _NAME_TAGS):
        tags = {one: value for one, value in tags.items() if one not in _NAME_TAGS} if name else tags
    else:
        name = ""
    login, uid, gid = (_needed(said, entry, attributes, one) for one in ("login", "uid", "gid"))
    return UnixAccount(checked_id(login), number("uid", uid), number("gid", gid), name, _place(entry), values, tags)


def _group(entry: Entry, attributes: Mapping[str, str], logins: Mapping[str, str]) -> UnixGroup:
    said = _said(entry, attributes)
    name, gid = (_needed(said, entry, attributes, one) for one in ("group", "gid"))
    members = [checked_id(one) for attribute in _MEMBERS for one in entry.values(attribute)]
    # A member that is no account of ours, such as a group, is passed over as a login of nobody would not be.
    named = [one for attribute in _MEMBER_DNS for one in entry.values(attribute)]
    members += [logins[_folded(one)] for one in named if _folded(one) in logins]
    values = {one: said[one] for one in _GROUP_VALUES if said.get(one)}
    return UnixGroup(checked_id(name), number("gid", gid), tuple(dict.fromkeys(members)), _place(entry), values)


def _said(entry: Entry, attributes: Mapping[str, str]) -> dict[str, Any]:
    """What the entry says, checked: the first value of each attribute, all of them of `dns`."""
    said: dict[str, Any] = {}
    for say, attribute in attributes.items():
        values = entry.values(attribute)
        if say == "dns":
            said[say] = tuple(dict.fromkeys(checked_id(one, MAX_DN) for one in values))
            continue
        kinds = {**FIELDS["persons"], **FIELDS["projects"]}
        check = checked_id if kinds.get(say) is FieldType.ID else checked_text
        try:
            said[say] = check(values[0]) if values else None
        except ValueError as error:
            raise ValueError(f"has a {attribute} that {error}") from error
    return said


def _needed(said: Mapping[str, Any], entry: Entry, attributes: Mapping[str, str], name: str) -> str:
    if not said[name]:
        raise ValueError(f"has no {attributes[name]}")
    return str(said[name])


def _place(entry: Entry) -> Place:
    """Where a finding about an entry stands: at its DN."""
    return Place(entry.dn)


def _folded(dn: str) -> str:
    """A DN as it is compared: without regard to case, and to spaces after commas."""
    return ",".join(part.strip() for part in dn.lower().split(","))
