"""Hostile values in DNs, filters and attributes: the entry that is meant and no other, and what matches literally."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from amierules.actions import ldap_entry, ldap_search
from amierules.actions.base import ActionError
from amierules.templating import EvaluationError
from tests.support.directories import DirectoryRunner
from tests.support.hostile import HOSTILE
from tests.support.slapd import GROUPS, PEOPLE, SUFFIX, Slapd

LDAP = (
    "*", "a*", "*)(uid=*", "*))(|(uid=*", "lister)(uid=*", "\\2a", "\\", "\\\\", "(", ")", "&", "|(a=b)", "x,ou=people",
    f"lister,{PEOPLE}", f"x,{GROUPS}", "x+cn=y", "cn=crew", "#04024869", " #a", "a=b", "a;b", "a<b>", '"a"', "a\\,b",
    "\\2C", f"x,{SUFFIX}", "ou=people", "lister\x00", "\x00", "é)(cn=*", "a\n-\nadd: x", ":<file:///etc/passwd",
    "{SSHA}x",
)  # fmt: skip
"""What means something in a DN, a filter, or LDIF."""
VALUES = tuple(dict.fromkeys((*LDAP, *HOSTILE)))
ENTRY: dict[str, Any] = {"base": "people", "object_classes": ["inetOrgPerson"], "owner": {"employeeNumber": "mine"}}


@pytest.fixture
def server(directory: Slapd) -> Iterator[Slapd]:
    yield directory
    directory.reset()


def test_only_the_entry_that_is_meant_is_made_changed_and_removed(server: Slapd) -> None:
    runner = DirectoryRunner(ldap_entry, "ldap_entry", server.directory)
    before = server.tree()
    made = 0
    for value in VALUES:
        runner.names = {"x": value}
        with contextlib.suppress(ActionError, EvaluationError):
            if runner.plan(dn="uid={{ x }}", **ENTRY, attributes={"cn": "c", "sn": "s"}).conflict:
                assert value == "lister"
                continue
            result = runner.run(dn="uid={{ x }}", **ENTRY, attributes={"cn": "c", "sn": "s"})
            new = server.tree()
            (dn,) = new.keys() - before.keys()
            assert {one: new[one] for one in before} == before, value
            assert dn.endswith(f",{PEOPLE}")
            assert new[dn]["uid"] == [value]
            assert runner.plan(dn="uid={{ x }}", **ENTRY, attributes={"cn": "c", "sn": "s"}).changes == ()
            made += result["created"]
            runner.run(dn="uid={{ x }}", **ENTRY, state="absent")
        assert server.tree() == before, value
    assert made > len(VALUES) * 0.7


def test_an_attribute_gets_the_value_and_no_other_is_touched(server: Slapd) -> None:
    runner = DirectoryRunner(ldap_entry, "ldap_entry", server.directory)
    runner.run(dn="uid=bo", **ENTRY, attributes={"cn": "c", "sn": "s"})
    before = server.tree()
    bo = f"uid=bo,{PEOPLE}"
    kept = 0
    for value in VALUES:
        with contextlib.suppress(ActionError):
            runner.run(dn="uid=bo", **ENTRY, attributes={"description": []})
            runner.run(dn="uid=bo", **ENTRY, attributes={"description": value})
            found = server.tree()
            assert {**found, bo: {**found[bo], "description": []}} == {**before, bo: {**before[bo], "description": []}}
            assert found[bo].get("description", []) == [value] * bool(value)
            kept += 1
    assert kept > len(VALUES) * 0.9


def test_a_search_finds_what_is_literally_there(server: Slapd) -> None:
    search = DirectoryRunner(ldap_search, "ldap_search", server.directory)
    entry = DirectoryRunner(ldap_entry, "ldap_entry", server.directory)
    for number, value in enumerate(VALUES):
        with contextlib.suppress(ActionError):
            names = {"cn": f"c{number}", "sn": "s", "description": value}
            entry.run(dn=f"uid=u{number}", base="people", object_classes=["inetOrgPerson"], attributes=names,
                      owner={"employeeNumber": number})  # fmt: skip
    known = {dn: found["description"][0] for dn, found in server.tree().items() if "description" in found}
    found_some = 0
    for value in VALUES:
        search.names = {"x": value}
        with contextlib.suppress(EvaluationError):
            result = search.plan(filter="(description={{ x }})", base="people").result
            assert isinstance(result, dict)
            matched = {one["dn"] for one in result["entries"]}
            exactly = {dn for dn, held in known.items() if held == value}
            assert exactly <= matched, value
            # The server's own rule makes some alike: other case, other spaces, other forms of a letter.
            assert len(matched) <= len(exactly) + 6, (value, [known[dn] for dn in matched])
            found_some += bool(matched)
    assert found_some > len(VALUES) * 0.8
