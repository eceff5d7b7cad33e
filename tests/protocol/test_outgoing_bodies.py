"""What a rule wants to send becomes a body, or problems that say why not."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.protocol.catalogue import catalogue
from amierules.protocol.charset import first_other, transliterated
from amierules.protocol.checks import Prepared, prepare_outgoing
from amierules.protocol.values import TagDate, TagDecimal
from tests.protocol.strategies import any_bodies

ITC = "inform_transaction_complete"
SUCCESS = {"StatusCode": "Success", "DetailCode": 1, "Message": "OK"}


def prepared(fields: dict[str, Any], type_name: str = ITC, **options: Any) -> Prepared:
    defaults: dict[str, Any] = {"charset": "transliterate", "reply": True}
    return prepare_outgoing(type_name, fields, **(defaults | options))


def codes(result: Prepared) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.tag) for problem in result.problems]


def test_a_plain_reply() -> None:
    assert prepared(SUCCESS) == Prepared({"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}, [], [])


def test_values_are_written_as_amie_wants_them() -> None:
    fields = {
        "StartDate": TagDate.parse("2025-10-15T00:00:00"),
        "EndDate": date(2026, 1, 2),
        "ServiceUnitsAllocated": TagDecimal.parse("1.10"),
        "ServiceUnitsRemaining": Decimal("1E+3"),
        "AccountActivityTime": datetime(2025, 10, 15, 18, 4, 58, 9, UTC),
        "PiUID": 20001,
        "PiMiddleName": "  ",
        "PiTitle": None,
        "PiDnList": ["/CN=a ", "", None],
        "Sfos": [{"Number": "0"}, {"Number": 7}],
        "AcademicDegree": [{"Degree": "PhD", "Field": None}, {"Degree": "MS", "Field": "Math"}],
    }
    result = prepared(fields, "notify_project_create")
    assert result.body == {
        "StartDate": "2025-10-15",
        "EndDate": "2026-01-02",
        "ServiceUnitsAllocated": "1.10",
        "ServiceUnitsRemaining": "1000",
        "AccountActivityTime": "2025-10-15T18:04:58Z",
        "PiUID": "20001",
        "PiDnList": ["/CN=a"],
        "Sfos": [{"Number": "7"}],
        "AcademicDegree": [{"Degree": "MS", "Field": "Math"}],
    }
    assert result.notes == ["AcademicDegree: 1 without Degree, Field left out"]


def test_missing_tags_are_one_problem_that_names_all() -> None:
    result = prepared({"ProjectID": "P-1", "PiPersonID": ""}, "notify_project_create")
    assert codes(result) == [("missing-tag", "GrantNumber")]
    for tag in ("GrantNumber", "PfosNumber", "PiPersonID", "PiRemoteSiteLogin", "ResourceList"):
        assert tag in result.problems[0].message


def test_a_pending_value_is_not_missing() -> None:
    result = prepared({**SUCCESS, "Message": object()}, pending=["Message"])
    assert result.problems == []


def test_a_transaction_of_ours_needs_more_than_a_reply() -> None:
    fields = {"ProjectID": "P", "ResourceList": ["r"]}
    assert prepared(fields, "notify_project_inactivate").problems == []
    assert codes(prepared(fields, "notify_project_inactivate", reply=False)) == [("missing-tag", "AccountActivityTime")]


def test_one_tag_of_each_group_is_needed() -> None:
    assert prepared({"GlobalID1": "1", "PersonID2": "x"}, "notify_person_duplicate", reply=False).problems == []
    result = prepared({"GlobalID1": "1", "PersonID1": "x"}, "notify_person_duplicate", reply=False)
    assert "GlobalID2 or PersonID2" in result.problems[0].message


def test_a_job_needs_more_than_a_credit() -> None:
    usage = {"UsageType": "credit", "ProjectID": "P", "Charge": 5, "MachineName": "m"}
    usage |= {"RecordIdentity": {"RecordID": "1", "CreateTime": "2025-10-15T18:04:58Z"}}
    assert prepared(usage, "notify_project_usage", reply=False).problems == []
    result = prepared(usage | {"UsageType": "normal"}, "notify_project_usage", reply=False)
    assert "WallDuration" in result.problems[0].message


@pytest.mark.parametrize(
    ("type_name", "tag", "value"),
    [
        (ITC, "StatusCode", "Failed"),
        (ITC, "StatusCode", "success"),
        (ITC, "DetailCode", 0),
        (ITC, "DetailCode", "-1"),
        ("notify_project_create", "AllocationType", "free text"),
        ("notify_project_create", "AcademicDegree", [{"Degree": "doctorate", "Field": "Math"}]),
        ("notify_project_create", "ResourceList", ["a", "b"]),
        ("notify_project_create", "PiHomePhoneComment", "evenings"),
        ("notify_account_create", "UserPasswordAccessEnable", "yes"),
        ("notify_project_usage", "WallDuration", "1:30"),
        ("notify_project_usage", "CpuDuration", {"User": "PT5S", "System": "5"}),
        ("notify_project_usage", "NodeCount", 0),
    ],
)
def test_a_violated_constraint_forbids_sending(type_name: str, tag: str, value: object) -> None:
    assert ("constraint", tag) in codes(prepared({tag: value}, type_name))


def test_a_duration_with_hours_minutes_and_seconds() -> None:
    result = prepared({"WallDuration": "PT1H30M5S", "CpuDuration": {"User": "PT5400S"}}, "notify_project_usage")
    assert [code for code, _ in codes(result)] == ["missing-tag"]


def test_the_resource_is_that_of_the_request() -> None:
    fields = {"ProjectID": "P", "ResourceList": ["other"]}
    result = prepared(fields, "notify_project_inactivate", request={"ResourceList": ["asked"]})
    assert codes(result) == [("constraint", "ResourceList")]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ProjectID": ["a", "b"]}, "wrong-kind"),
        ({"ProjectID": {"a": "b"}}, "wrong-kind"),
        ({"ProjectID": object()}, "not-text"),
        ({"ProjectID": {1, 2}}, "not-text"),
        ({"StartDate": "tomorrow"}, "wrong-kind"),
        ({"AccountActivityTime": "2025-10-15T18:04:58"}, "wrong-kind"),
        ({"AccountActivityTime": datetime(2025, 10, 15)}, "not-text"),
        ({"PiDnList": [["a"]]}, "too-deep"),
        ({"T" * 33: "a"}, "tag-too-long"),
        ({"Comment": "x" * 1_000_001}, "value-too-large"),
        ({"RecordIdentity": {"RecordID": "1"}}, "incomplete"),
    ],
)
def test_what_cannot_be_sent(fields: dict[str, Any], code: str) -> None:
    result = prepared({**SUCCESS, **fields})
    assert [problem.code for problem in result.problems] == [code]
    assert result.problems[0].message.isprintable()


def test_an_unknown_type_cannot_be_sent() -> None:
    assert codes(prepared({}, "notify_coffee")) == [("unknown-type", None)]


def test_a_tag_that_the_type_does_not_know_is_sent_and_noted() -> None:
    result = prepared({**SUCCESS, "Odd": "x"})
    assert result.body["Odd"] == "x"
    assert result.problems == []
    assert "Odd" in result.notes[0]


def test_other_characters_are_transliterated_and_noted() -> None:
    result = prepared({**SUCCESS, "Message": "Zoë Müller\x1b\u202e"})
    assert result.body["Message"] == "Zoe Muller"
    assert result.problems == []
    assert result.notes == ["Message: 'Zoë Müller\\x1b\\u202e' is sent as 'Zoe Muller'"]


def test_other_characters_are_a_problem_where_they_are_to_be_rejected() -> None:
    result = prepared({**SUCCESS, "Message": "Zoë", "Comment": "plain"}, charset="reject")
    assert codes(result) == [("character", "Message")]
    assert "U+00EB" in result.problems[0].message


def test_a_required_value_that_has_nothing_left_is_missing() -> None:
    assert codes(prepared({**SUCCESS, "Message": "\u202e\x07"})) == [("missing-tag", "Message")]


@given(st.text())
def test_transliteration_leaves_only_what_amie_carries(text: str) -> None:
    assert first_other(transliterated(text)) is None


@given(any_bodies, st.sampled_from(sorted(catalogue().types)), st.booleans())
def test_whatever_is_prepared_is_sendable_or_has_problems(fields: dict[str, Any], type_name: str, reply: bool) -> None:
    result = prepared(fields, type_name, reply=reply)
    again = prepared(dict(result.body), type_name, reply=reply)
    if not result.problems:
        assert again.body == result.body
        assert again.problems == []
