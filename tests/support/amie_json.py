"""Packets in AMIE's JSON form, as the central database sends them to a site."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

SITE, CENTRAL = "TestSite", "TGCDB"
ALPHA, BETA = "alpha.site.example", "beta.site.example"

_numbers = count(1)


def packet_json(type_name: str, body: Mapping[str, Any], *, theirs: bool = False, **header: Any) -> dict[str, Any]:
    """A packet of the central database, later than those made before it; header fields as given, else unremarkable.

    Written from our perspective, or from `theirs`. Tags that are None are left out.
    """
    number = next(_numbers)
    stamp = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=number)
    fields: dict[str, Any] = {
        "packet_rec_id": 700000 + number,
        "trans_rec_id": 500000 + number,
        "transaction_id": 3000 + number,
        "packet_id": 1,
        "originating_site_name": CENTRAL,
        "local_site_name": CENTRAL if theirs else SITE,
        "remote_site_name": SITE if theirs else CENTRAL,
        "outgoing_flag": 1 if theirs else 0,
        "packet_state": "in-progress",
        "transaction_state": "in-progress",
        "packet_timestamp": stamp.isoformat().replace("+00:00", "Z"),
        **header,
    }
    given = {tag: value for tag, value in body.items() if value is not None}
    return {"DATA_TYPE": "Packet", "type": type_name, "header": fields, "body": given}


def rpc(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_project_create: a new project of Bo Sample on ALPHA."""
    known: dict[str, Any] = {
        "AllocationType": "new",
        "GrantNumber": "XYZ259276",
        "RecordID": f"R-{next(_numbers)}",
        "PfosNumber": "21000",
        "ProjectTitle": "Examples at scale",
        "StartDate": "2026-02-01",
        "EndDate": "2027-01-31",
        "ServiceUnitsAllocated": "1000",
        "ResourceList": [ALPHA],
        **{"PiFirstName": "Bo", "PiLastName": "Sample", "PiOrganization": "Example State", "PiOrgCode": "0045096"},
        **{"PiGlobalID": "90022", "PiEmail": "bo@university.example", "PiRequestedLoginList": ["bsample"]},
        "PiDnList": ["/C=US/CN=Bo Sample"],
    }
    return packet_json("request_project_create", {**known, **(body or {})}, **header)


def rac(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_account_create: Ann Example on the project of `rpc`."""
    known: dict[str, Any] = {
        "GrantNumber": "XYZ259276",
        "ResourceList": [ALPHA],
        **{
            "UserFirstName": "Ann",
            "UserLastName": "Example",
            "UserOrganization": "Example U",
            "UserOrgCode": "0032425",
        },
        **{"UserGlobalID": "90011", "UserEmail": "ann@university.example", "UserRequestedLoginList": ["annex"]},
        "UserDnList": ["/C=US/CN=Ann Example"],
    }
    return packet_json("request_account_create", {**known, **(body or {})}, **header)


def dpc(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A data_project_create. Give `PersonID`, and the header's transaction_id with a free packet_id."""
    return _of_person("data_project_create", {"ProjectID": "P-XYZ259276", "DnList": ["/CN=Bo"], **(body or {})}, header)


def dac(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A data_account_create, like `dpc`."""
    return _of_person(
        "data_account_create", {"ProjectID": "P-XYZ259276", "DnList": ["/CN=Ann"], **(body or {})}, header
    )


def rpi(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_project_inactivate of the project of `rpc`."""
    known = {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    return packet_json("request_project_inactivate", {**known, **(body or {})}, **header)


def rpr(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_project_reactivate of the project of `rpc`."""
    known = {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    return packet_json("request_project_reactivate", {**known, **(body or {})}, **header)


def rai(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_account_inactivate on the project of `rpc`. Give `PersonID`."""
    known = {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    return _of_person("request_account_inactivate", {**known, **(body or {})}, header)


def rar(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_account_reactivate on the project of `rpc`. Give `PersonID`."""
    known = {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    return _of_person("request_account_reactivate", {**known, **(body or {})}, header)


def rum(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_user_modify that replaces attributes. Give `PersonID` and the tags."""
    return _of_person("request_user_modify", {"ActionType": "replace", **(body or {})}, header)


def rpm(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """A request_person_merge of person 20001 into 20000."""
    known = {"KeepPersonID": "20000", "KeepGlobalID": "90022", "DeletePersonID": "20001", "DeleteGlobalID": "90011"}
    return packet_json("request_person_merge", {**known, **(body or {})}, **header)


def itc(body: Mapping[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    """An inform_transaction_complete with success."""
    known = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
    return packet_json("inform_transaction_complete", {**known, **(body or {})}, **header)


def _of_person(type_name: str, body: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    return packet_json(type_name, {"PersonID": "20000", **body}, **header)
