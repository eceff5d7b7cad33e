"""What parks a packet that came in, and what does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from amierules.diagnostics import printable
from amierules.protocol.checks import check_incoming
from amierules.protocol.json_form import read_packets
from amierules.protocol.packet import Packet
from amierules.protocol.rows import normalise
from tests.protocol.strategies import any_bodies

PACKETS = Path(__file__).parent.parent / "packets"


def packet(name: str, **changes: Any) -> Packet:
    data = json.loads((PACKETS / f"{name}.json").read_text(encoding="utf-8"))
    data["body"] |= changes
    packets, findings = read_packets(json.dumps(data), file="f", site_name="TestSite", remote_site_names=["TGCDB"])
    assert findings == []
    return packets[0]


def checked(name: str, **changes: Any) -> list[tuple[str, str | None, bool]]:
    return [(problem.code, problem.tag, problem.parks) for problem in check_incoming(packet(name, **changes))]


@pytest.mark.parametrize("file", sorted(PACKETS.glob("*.json")), ids=lambda file: file.stem)
def test_captured_packets_are_fine(file: Path) -> None:
    assert checked(file.stem) == []


def test_a_missing_required_tag_parks() -> None:
    assert checked("request_project_create", GrantNumber="", EndDate=None) == [
        ("missing-tag", "EndDate", True),
        ("missing-tag", "GrantNumber", True),
    ]


def test_a_wrong_kind_parks() -> None:
    assert checked("request_project_create", ServiceUnitsAllocated="lots") == [
        ("wrong-kind", "ServiceUnitsAllocated", True)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"AllocationType": "free text"},
        {"ResourceList": ["a", "b"]},
        {"NsfStatusCode": "ACTIVE"},
        {"PiHomePhoneExtension": "12"},
    ],
)
def test_a_violated_constraint_does_not_park(changes: dict[str, Any]) -> None:
    assert checked("request_project_create", **changes) == [("constraint", next(iter(changes)), False)]


def test_an_unknown_tag_does_not_park() -> None:
    assert checked("request_project_create", FavoriteColor="blue") == [("unknown-tag", "FavoriteColor", False)]


def test_an_unknown_type_parks() -> None:
    source = packet("inform_transaction_complete")
    header = type(source.header)(**{**vars(source.header), "type": "request_coffee"})
    assert [problem.code for problem in check_incoming(Packet(header, source.body))] == ["unknown-type"]


def test_old_failed_status_and_free_degrees_are_accepted() -> None:
    assert checked("inform_transaction_complete", StatusCode="Failed", DetailCode=2) == []
    assert checked("request_project_create", AcademicDegree=[{"Degree": "doctorate", "Field": ""}]) == []


@given(any_bodies)
def test_no_body_raises(body: dict[str, Any]) -> None:
    source = packet("request_project_create")
    for problem in check_incoming(Packet(source.header, normalise(body))):
        assert printable(problem.message, 1000) == problem.message
