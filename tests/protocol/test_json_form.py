"""Packets in AMIE's JSON form are read from either perspective; what cannot become rows is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amierules.diagnostics import Finding, Severity
from amierules.protocol.json_form import packet_as_json, read_packets
from amierules.protocol.packet import Packet
from amierules.protocol.rows import normalise
from tests.protocol.strategies import any_bodies, json_values

PACKETS = sorted((Path(__file__).parent.parent / "packets").glob("*.json"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def read(data: object, **options: Any) -> tuple[list[Packet], list[Finding]]:
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    names: dict[str, Any] = {"site_name": "TestSite", "remote_site_names": ["TGCDB"]}
    return read_packets(text, file="packets.json", now=NOW, **(names | options))


def sample(**header: Any) -> dict[str, Any]:
    """A small packet from central's side, some header fields replaced."""
    fields = {
        "packet_rec_id": 9,
        "trans_rec_id": 8,
        "packet_id": 1,
        "transaction_id": 7,
        "originating_site_name": "TGCDB",
        "local_site_name": "TGCDB",
        "remote_site_name": "TestSite",
        "outgoing_flag": 1,
    }
    body = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
    return {"type": "inform_transaction_complete", "header": fields | header, "body": body}


def with_body(body: object) -> dict[str, Any]:
    return sample() | {"body": body}


def only(data: object, **options: Any) -> Packet:
    packets, findings = read(data, **options)
    assert findings == []
    (packet,) = packets
    return packet


def refusal(data: object, **options: Any) -> Finding:
    packets, findings = read(data, **options)
    assert packets == []
    (finding,) = findings
    assert len(finding.message) < 300
    assert finding.message.isprintable()
    return finding


@pytest.mark.parametrize("file", PACKETS, ids=lambda file: file.stem)
def test_captured_packets_are_seen_from_our_side(file: Path) -> None:
    source = json.loads(file.read_text(encoding="utf-8"))
    packet = only(file.read_bytes())
    header = packet.header
    assert (header.local_site_name, header.remote_site_name, header.outgoing) == ("TestSite", "TGCDB", False)
    assert header.originating_site_name == "TGCDB"
    assert header.remote_packet_rec_id == source["header"]["packet_rec_id"]
    assert header.remote_trans_rec_id == source["header"]["trans_rec_id"]
    assert [reply.type for reply in header.expected_replies] == [
        reply["type"] for reply in source["header"]["expected_reply_list"]
    ]
    assert header.packet_state == header.transaction_state == "in-progress"
    assert packet.body == normalise(source["body"])
    assert packet.raw == source


@pytest.mark.parametrize("file", PACKETS, ids=lambda file: file.stem)
def test_our_json_form_is_read_back(file: Path) -> None:
    packet = only(file.read_bytes())
    again = only(packet_as_json(packet))
    assert (again.header, again.body) == (packet.header, packet.body)


@given(any_bodies)
def test_bodies_survive_the_json_form(source: dict[str, Any]) -> None:
    body = {tag: value for tag, value in normalise(source).items() if len(tag) <= 32}
    assert only(with_body(body)).body == body


@pytest.mark.parametrize(
    "wrap",
    [
        lambda packet: packet,
        lambda packet: [packet],
        lambda packet: {"message": None, "result": packet},
        lambda packet: {"result": [packet]},
    ],
)
def test_a_packet_a_list_and_the_envelope_are_taken(wrap: Callable[[Any], Any]) -> None:
    assert only(wrap(sample())).header.transaction_id == 7


def test_a_byte_order_mark_is_no_content() -> None:
    assert only(b"\xef\xbb\xbf" + json.dumps(sample()).encode()).header.packet_id == 1


@pytest.mark.parametrize(
    ("local", "remote", "flag"),
    [("TGCDB", "TestSite", 1), ("TGCDB", "TestSite", True), ("TestSite", "TGCDB", 0), ("TestSite", "TGCDB", False)],
)
def test_both_perspectives_of_an_incoming_packet(local: str, remote: str, flag: object) -> None:
    header = only(sample(local_site_name=local, remote_site_name=remote, outgoing_flag=flag)).header
    assert (header.local_site_name, header.remote_site_name, header.outgoing) == ("TestSite", "TGCDB", False)


@pytest.mark.parametrize(("local", "remote", "flag"), [("TGCDB", "TestSite", 0), ("TestSite", "TGCDB", 1)])
def test_our_own_packet_is_left_out_with_a_note(local: str, remote: str, flag: object) -> None:
    finding = refusal(sample(local_site_name=local, remote_site_name=remote, outgoing_flag=flag))
    assert (finding.code, finding.severity) == ("own-packet", Severity.NOTE)


def test_a_request_that_claims_to_be_ours_is_no_note() -> None:
    data = sample(outgoing_flag=0) | {"type": "request_account_create"}
    assert refusal(data).severity is Severity.ERROR


def test_ids_may_be_numeric_texts_and_zero() -> None:
    header = only(
        sample(packet_id=0, transaction_id="12345678901234567890123456789012345678", packet_rec_id="5")
    ).header
    assert (header.packet_id, header.remote_packet_rec_id) == (0, 5)
    assert header.transaction_id == 12345678901234567890123456789012345678


def test_what_may_be_missing() -> None:
    data = sample(packet_rec_id=None, trans_rec_id=None, packet_state=None, transaction_state="in_progress")
    header = only(data | {"type": "request_user_modify"}).header
    assert header.remote_packet_rec_id is header.remote_trans_rec_id is None
    assert header.packet_state == header.transaction_state == "in-progress"
    assert header.timestamp == NOW
    assert [(reply.type, reply.timeout) for reply in header.expected_replies] == [
        ("inform_transaction_complete", 30240)
    ]


def test_an_empty_list_of_expected_replies_is_kept() -> None:
    data = sample(expected_reply_list=[]) | {"type": "request_user_modify"}
    assert only(data).header.expected_replies == ()


def test_an_unknown_type_is_kept() -> None:
    packet = only(sample() | {"type": "request_coffee"})
    assert packet.header.type == "request_coffee"
    assert packet.header.expected_replies == ()


def test_the_timestamp_is_utc() -> None:
    header = only(sample(packet_timestamp="2025-10-15T20:04:58.535+02:00")).header
    assert header.timestamp == datetime(2025, 10, 15, 18, 4, 58, 535000, UTC)
    assert header.timestamp.tzinfo is UTC


def test_as_site_makes_the_packets_of_another_site_ours() -> None:
    data = sample(remote_site_name="Elsewhere", originating_site_name="Elsewhere")
    finding = refusal(data)
    assert finding.code == "other-site"
    assert "--as-site Elsewhere" in finding.hint
    header = only(data, as_site="Elsewhere").header
    assert (header.local_site_name, header.originating_site_name) == ("TestSite", "TestSite")


def test_an_unknown_other_side_is_refused() -> None:
    assert refusal(sample(local_site_name="XDB", originating_site_name="XDB")).code == "other-site"


@pytest.mark.parametrize("field", ["transaction_id", "packet_id", "originating_site_name", "outgoing_flag"])
def test_a_missing_header_field_is_named(field: str) -> None:
    data = sample()
    del data["header"][field]
    finding = refusal(data)
    assert finding.code == "missing-header-field"
    assert field in finding.message
    assert "packet 9" in finding.message


BAD_FIELDS: list[dict[str, Any]] = [
    {"transaction_id": -1},
    {"transaction_id": 1.5},
    {"transaction_id": True},
    {"transaction_id": "seven"},
    {"transaction_id": 10**38},
    {"packet_id": "²"},
    {"packet_rec_id": 2**63},
    {"outgoing_flag": 2},
    {"outgoing_flag": []},
    {"packet_state": "cooking"},
    {"packet_state": []},
    {"packet_timestamp": "yesterday"},
    {"packet_timestamp": 17},
    {"packet_timestamp": "0001-01-01T00:00:00+14:00"},
    {"remote_site_name": "TestSite" * 3},
    {"remote_site_name": 5},
    {"remote_site_name": "TGCDB", "local_site_name": "TestSite", "originating_site_name": "Third"},
    {"remote_site_name": "TestSite", "local_site_name": "TestSite"},
    {"expected_reply_list": "x"},
    {"expected_reply_list": ["x"]},
    {"expected_reply_list": [{"type": "coffee"}]},
    {"expected_reply_list": [{"type": "inform_transaction_complete", "timeout": "long"}]},
    {"expected_reply_list": [{"type": "inform_transaction_complete", "timeout": 2**31}]},
]


@pytest.mark.parametrize("fields", BAD_FIELDS)
def test_a_header_field_that_makes_no_row_is_refused(fields: dict[str, Any]) -> None:
    finding = refusal(sample(**fields))
    assert finding.code == "bad-header-field"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "malformed-json"),
        ("{", "malformed-json"),
        ('{"a": NaN}', "malformed-json"),
        ("[-Infinity]", "malformed-json"),
        (b"\xff\xfe{}", "not-utf-8"),
        ("[" * 100_000, "too-deep"),
        ("[]", "no-packet"),
        ("null", "no-packet"),
        ('{"result": []}', "no-packet"),
        ("17", "not-a-packet"),
        ('["x"]', "not-a-packet"),
        ("{}", "not-a-packet"),
        ('{"header": 1}', "not-a-packet"),
        ('{"DATA_TYPE": "Transaction", "header": {}}', "not-a-packet"),
        (sample() | {"type": "\0"}, "nul-character"),
        (sample() | {"type": "x" * 129}, "bad-header-field"),
        (with_body(None), "bad-body"),
        (with_body([]), "bad-body"),
        (with_body({"Comment": "a\0b"}), "nul-character"),
        (with_body({"Com\0ment": "a"}), "nul-character"),
        (with_body({"Sfos": [{"a\0": "a"}]}), "nul-character"),
        (with_body({"Comment": "\ud800"}), "bad-text"),
        (with_body({"T" * 500: "a"}), "tag-too-long"),
        (with_body({"Sfos": {"s" * 129: "a"}}), "subtag-too-long"),
        (with_body({"Comment": "x" * 10_000_000}), "value-too-large"),
        (with_body({"Comment": "é" * 600_000}), "value-too-large"),
        (with_body({"Comment": [["a"]]}), "too-deep"),
        (with_body({"Comment": [{"a": {"b": "c"}}]}), "too-deep"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "data",
)
def test_what_is_refused(data: object, code: str) -> None:
    assert refusal(data).code == code


def test_a_syntax_error_has_its_place() -> None:
    place = refusal('{"type": "x",\n  oops}').place
    assert place is not None
    assert (place.file, place.line, place.column) == ("packets.json", 2, 3)


def test_different_values_for_one_key_are_refused_and_equal_ones_collapse() -> None:
    text = json.dumps(with_body({"Comment": "a", "Message": "b"}))
    assert refusal(text.replace('"Message"', '"Comment"')).code == "duplicate-key"
    assert only(text.replace('"Message": "b"', '"Comment": "a"')).body == {"Comment": "a"}


def test_numbers_come_as_they_were_written() -> None:
    text = json.dumps(with_body({"ServiceUnitsAllocated": "@"}))
    for written, expected in (("1.10", "1.10"), ("1e3", "1000"), ("9" * 5000, "9" * 5000), ("-5", "-5")):
        packet = only(text.replace('"@"', written))
        assert packet.body == {"ServiceUnitsAllocated": expected}
        assert json.dumps(packet.raw)


def test_everything_else_is_taken() -> None:
    body = {"Comment": "\x1b[31mred\x07", "StartDate": "never", "ResourceList": "x", "Odd": True}
    assert only(with_body(body)).body == {**body, "ResourceList": ["x"], "Odd": "1"}


def test_one_bad_packet_does_not_keep_the_others_out() -> None:
    packets, findings = read([sample(packet_id=-1), sample(), "x"])
    assert [packet.header.packet_id for packet in packets] == [1]
    assert [finding.code for finding in findings] == ["bad-header-field", "not-a-packet"]
    assert "no. 3" in findings[1].message


@settings(max_examples=400)
@given(json_values)
def test_no_json_raises(data: object) -> None:
    packets, findings = read(json.dumps(data))
    assert packets == []
    assert findings


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from([*sample()["header"], "packet_state", "expected_reply_list"]), json_values))
def test_no_header_raises(fields: dict[str, Any]) -> None:
    packets, findings = read(sample(**fields))
    assert len(packets) + len(findings) == 1


@settings(max_examples=400)
@given(json_values)
def test_no_body_raises(body: object) -> None:
    packets, findings = read(with_body(body))
    assert len(packets) + len(findings) == 1


@given(st.binary(max_size=40))
def test_no_bytes_raise(data: bytes) -> None:
    assert read(data)[1]
