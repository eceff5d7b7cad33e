"""The catalogue says what the public documents say."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from amierules.protocol.catalogue import PacketType, TagKind, catalogue
from amierules.shipped import ROOT, read_schema

PACKETS = sorted((Path(__file__).parent.parent / "packets").glob("*.json"))

IDS = [
    "data_account_create",
    "data_project_create",
    "inform_transaction_complete",
    "notify_account_inactivate",
    "notify_account_reactivate",
    "notify_account_create",
    "notify_project_create",
    "notify_project_inactivate",
    "notify_project_modify",
    "notify_project_reactivate",
    "notify_project_resources",
    "notify_project_usage",
    "notify_user_modify",
    "notify_user_reactivate",
    "notify_user_suspend",
    "request_account_create",
    "request_account_inactivate",
    "request_account_reactivate",
    "request_project_create",
    "request_project_inactivate",
    "request_project_modify",
    "request_project_reactivate",
    "request_project_resources",
    "request_user_modify",
    "request_user_reactivate",
    "request_user_suspend",
    "request_user_create",
    "notify_user_create",
    "notify_person_ids",
    "notify_person_duplicate",
    "request_person_merge",
]

UNUSED = {9, 11, 14, 15, 21, 23, 25, 26, 27, 28}


def type_named(name: str) -> PacketType:
    return catalogue().types[name]


def test_ids_are_those_of_type_des() -> None:
    assert {number: type_.name for number, type_ in catalogue().by_id.items()} == dict(enumerate(IDS, 1))


@pytest.mark.parametrize("name", IDS)
def test_each_file_is_named_like_its_type_and_obeys_the_schema(name: str) -> None:
    data = read_schema(f"packets/{name}")
    assert data["name"] == name
    jsonschema.Draft7Validator(read_schema("packet-type.schema")).validate(data)


def test_tags_obey_the_schema() -> None:
    jsonschema.Draft7Validator(read_schema("tags.schema")).validate(read_schema("tags"))


def test_no_other_file_stands_beside_the_packet_types() -> None:
    assert {file.stem for file in (ROOT / "schemas" / "packets").iterdir()} == set(IDS)


def test_directions() -> None:
    directions = {number: type_.direction for number, type_ in catalogue().by_id.items()}
    assert {number for number, direction in directions.items() if direction == "unused"} == UNUSED
    assert directions[3] == "both"
    for number, direction in directions.items():
        if number not in UNUSED | {3}:
            assert direction == ("from_site" if IDS[number - 1].startswith("notify") else "to_site")


@pytest.mark.parametrize("name", IDS)
def test_expected_replies(name: str) -> None:
    type_ = type_named(name)
    noun = name.partition("_")[2]
    if name == "inform_transaction_complete":
        expected = []
    elif name in ("notify_account_create", "notify_project_create"):
        expected = [f"data_{noun}"]
    elif name.startswith("request") and name not in ("request_user_modify", "request_person_merge"):
        expected = [f"notify_{noun}"]
    else:
        expected = ["inform_transaction_complete"]
    assert [reply.type for reply in type_.expected_replies] == expected
    assert all(reply.timeout == 21 * 24 * 60 for reply in type_.expected_replies)


REQUIRED = {
    "request_project_create": "AllocationType EndDate GrantNumber PfosNumber PiFirstName PiLastName PiOrganization "
    "PiOrgCode ResourceList ServiceUnitsAllocated StartDate",
    "request_account_create": "GrantNumber ResourceList UserFirstName UserLastName UserOrganization UserOrgCode",
    "request_project_inactivate": "ProjectID ResourceList",
    "request_project_reactivate": "ProjectID ResourceList",
    "request_account_inactivate": "PersonID ProjectID ResourceList",
    "request_account_reactivate": "PersonID ProjectID ResourceList",
    "request_user_modify": "ActionType PersonID",
    "request_person_merge": "DeleteGlobalID DeletePersonID KeepGlobalID KeepPersonID",
    "data_project_create": "PersonID ProjectID",
    "data_account_create": "PersonID ProjectID",
    "inform_transaction_complete": "DetailCode Message StatusCode",
}

REQUIRED_IN_REPLY = {
    "notify_project_create": "GrantNumber PfosNumber PiPersonID PiRemoteSiteLogin ProjectID ResourceList",
    "notify_account_create": "ProjectID ResourceList UserPersonID UserRemoteSiteLogin",
    "notify_project_inactivate": "",
    "notify_project_reactivate": "",
    "notify_account_inactivate": "",
    "notify_account_reactivate": "PersonID ProjectID ResourceList",
    "data_project_create": "ProjectID",
    "inform_transaction_complete": "DetailCode Message StatusCode",
}


@pytest.mark.parametrize(("name", "tags"), REQUIRED.items())
def test_required_in_what_comes_in(name: str, tags: str) -> None:
    assert sorted(type_named(name).required) == sorted(tags.split())


@pytest.mark.parametrize(("name", "tags"), REQUIRED_IN_REPLY.items())
def test_required_in_a_reply(name: str, tags: str) -> None:
    assert sorted(type_named(name).required_in_reply) == sorted(tags.split())


def test_record_id_is_optional() -> None:
    type_ = type_named("request_project_create")
    assert "RecordID" in type_.allowed
    assert "RecordID" not in type_.required


@pytest.mark.parametrize("name", IDS)
def test_every_tag_of_a_type_is_described(name: str) -> None:
    type_ = type_named(name)
    required = {*type_.required, *type_.required_in_reply, *type_.required_when_originated}
    required |= {tag for group in type_.one_of for tag in group}
    required |= {tag for condition in type_.conditional for tag in (*condition.required, *condition.present)}
    assert required <= set(type_.allowed)
    assert [tag.name for tag in type_.tags()] == list(type_.allowed)


def test_every_tag_belongs_to_a_type() -> None:
    assert set(catalogue().tags) == {tag for type_ in catalogue().types.values() for tag in type_.allowed}


@pytest.mark.parametrize("file", PACKETS, ids=lambda file: file.stem)
def test_captured_packets_hold_only_allowed_tags(file: Path) -> None:
    packet: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert set(packet["body"]) <= set(type_named(packet["type"]).allowed)


KINDS = {
    TagKind.LIST: "ResourceList RoleList DnList PiDnList UserDnList RequestedLoginList PiRequestedLoginList "
    "UserRequestedLoginList PersonIdList PersonIDList RemoveResourceList CitizenshipList",
    TagKind.OBJECTS: "AcademicDegree Sfos SitePersonId ResourceLogin ResourceLoginList Attribute ExecHost",
    TagKind.OBJECT: "JobIdentity RecordIdentity CpuDuration",
    TagKind.DECIMAL: "ServiceUnitsAllocated ServiceUnitsRemaining ChangedServiceUnitsAllocated Charge",
    TagKind.DATE: "StartDate EndDate ChangedEffectiveDate ChangedEndDate",
    TagKind.DATETIME: "AccountActivityTime SubmitTime StartTime EndTime",
}


@pytest.mark.parametrize(("kind", "tags"), KINDS.items())
def test_kinds(kind: TagKind, tags: str) -> None:
    assert {tag.name for tag in catalogue().tags.values() if tag.kind is kind} == set(tags.split())


@pytest.mark.parametrize(
    ("tag", "subtags", "required"),
    [
        ("AcademicDegree", "Degree Field", "Degree Field"),
        ("Sfos", "Number Abbreviation Description", "Number"),
        ("SitePersonId", "Site PersonID", "Site PersonID"),
        ("ResourceLogin", "Resource Login UID", "Resource Login"),
        ("Attribute", "Name Value", "Name Value"),
        ("ExecHost", "Name Memory Processors", "Name"),
        ("JobIdentity", "LocalJobID GlobalJobID", "LocalJobID"),
        ("RecordIdentity", "CreateTime RecordID", "CreateTime RecordID"),
        ("CpuDuration", "User System", ""),
    ],
)
def test_subtags(tag: str, subtags: str, required: str) -> None:
    described = catalogue().tags[tag]
    assert (described.subtags, described.required_subtags) == (tuple(subtags.split()), tuple(required.split()))


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("ActionType", "add replace delete"),
        ("AllocationType", "new renewal extension supplement transfer advance adjustment"),
        ("StatusCode", "Success Failure"),
        ("NsfStatusCode", "CN CR F G GS HS HT I N NP O PD UG UK UN UR"),
        ("ChangedAllocationChange", "set increment decrement"),
        ("UsageType", "normal credit refund storage-credit debit reservation storage-debit"),
    ],
)
def test_enumerations(tag: str, values: str) -> None:
    assert set(catalogue().tags[tag].values) == set(values.split())


def test_person_tags_stand_under_the_prefix_of_the_packet() -> None:
    for name, prefix in (
        ("request_project_create", "Pi"),
        ("request_account_create", "User"),
        ("request_user_modify", ""),
    ):
        type_ = type_named(name)
        assert type_.subject_prefix == prefix
        assert {prefix + "LastName", prefix + "GlobalID", prefix + "DnList", prefix + "EmpCode"} <= set(type_.allowed)


def test_tag_names_are_case_sensitive() -> None:
    assert catalogue().tag("SitePersonId")
    assert catalogue().tag("SitePersonID") is None
