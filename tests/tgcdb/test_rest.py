"""The REST front on a real socket, called as sites call ACCESS."""

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amierules.protocol.json_form import read_packets
from amierules.tgcdb.faults import Fault, FaultPlan
from tests.support.model_site import COMPLETE, DONE, SITE, ModelSite
from tests.support.rest_central import KEY, Answer, RestCentral, rest_central


@pytest.fixture
def central() -> Iterator[RestCentral]:
    with rest_central() as served:
        yield served


def _begin(central: RestCentral, scenario: str) -> None:
    answer = central.call("POST", f"test/{SITE}/scenarios", type=scenario)
    assert (answer.status, answer.message, answer.result) == (200, "Test scenario initiated", None)


def _play(central: RestCentral) -> None:
    site, moving = ModelSite(), True
    while moving:
        moving = False
        for packet in central.waiting():
            reply = None if packet["type"] == COMPLETE else site.answer(packet)
            if reply is not None:
                assert central.reply(packet, *reply).status == 200
                moving = True


@pytest.mark.parametrize(
    "headers",
    [{}, {"XA-SITE": SITE}, {"XA-SITE": "Other", "XA-API-KEY": KEY}, {"XA-SITE": SITE, "XA-API-KEY": "wrong"}],
)
def test_headers_are_checked(central: RestCentral, headers: dict[str, str]) -> None:
    answer = central.call("GET", f"packets/{SITE}", headers=headers)
    assert answer.status == 401
    assert KEY not in answer.text
    assert [one.rule for one in central.report().violations] == ["T50"]


def test_an_unknown_site_has_no_packets(central: RestCentral) -> None:
    answer = central.call("GET", "packets/Other", headers={"XA-SITE": "Other", "XA-API-KEY": KEY})
    assert answer.status == 401


def test_header_names_are_case_insensitive(central: RestCentral) -> None:
    answer = central.call("GET", f"packets/{SITE}", headers={"xa-site": SITE, "xa-api-key": KEY})
    assert (answer.status, answer.text) == (200, '{"message":null,"result":[]}')


def test_a_packet_has_the_form_that_access_writes(central: RestCentral) -> None:
    _begin(central, "request_project_reactivate")
    (packet,) = central.waiting()
    header = packet["header"]
    assert (packet["DATA_TYPE"], packet["type"]) == ("Packet", "request_project_create")
    assert (header["local_site_name"], header["remote_site_name"]) == ("TGCDB", SITE)
    assert (header["outgoing_flag"], header["packet_id"], header["packet_state"]) == (1, 1, "in-progress")
    assert header["expected_reply_list"] == [{"type": "notify_project_create", "timeout": 30240}]
    assert header["packet_timestamp"].endswith("Z")
    assert packet["body"]["PiRequestedLoginList"][0] == ""
    listed = central.call("GET", f"packets/{SITE}").text
    packets, findings = read_packets(listed, file="-", site_name=SITE, remote_site_names=["TGCDB"])
    assert findings == []
    assert [one.header.outgoing for one in packets] == [False]


def test_a_scenario_is_played_to_its_end(central: RestCentral) -> None:
    _begin(central, "known_person")
    _play(central)
    report = central.report()
    assert report.wrong == []
    assert report.counts() == {"completed": 6, "failed": 0, "in-progress": 0}


def test_the_end_of_a_transaction_stays_listed_until_it_is_acknowledged(central: RestCentral) -> None:
    _begin(central, "request_project_reactivate")
    _play(central)
    ends = central.waiting()
    assert [(one["type"], one["header"]["expected_reply_list"]) for one in ends] == [(COMPLETE, [])] * 2
    assert central.reply(ends[0], COMPLETE, DONE).status == 200
    assert len(central.waiting()) == 1


def test_a_minimal_reply_is_completed_by_the_server(central: RestCentral) -> None:
    _begin(central, "central_failure")
    (packet,) = central.waiting()
    packet["body"].pop("PiDnList")
    body = {"PiPersonID": "7", "ProjectID": "P-7", "PiRemoteSiteLogin": "bo"}
    reply = {
        "type": "notify_project_create",
        "header": {"in_reply_to": packet["header"]["packet_rec_id"]},
        "body": body,
    }
    assert central.call("POST", f"packets/{SITE}", reply).status == 200
    assert {one.rule for one in central.report().violations} <= {"T31"}


def test_a_reply_that_breaks_a_rule_is_refused_with_its_number(central: RestCentral) -> None:
    _begin(central, "request_user_modify")
    (packet,) = central.waiting()
    answer = central.reply(packet, "notify_project_create", {"PiPersonID": "7", "PiRemoteSiteLogin": "bo"})
    assert answer.status == 400
    assert answer.message.startswith("T10 required-tags: ")
    assert central.waiting() == [packet]


@pytest.mark.parametrize(
    "posted",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"[" * 10_000,
        b'{"type": 3, "body": {}}',
        b'{"type": "notify_user_modify"}',
        b'{"type": "x", "body": []}',
        b'{"type": "notify_user_modify", "body": {"a": [[1]]}}',
        b'{"type": "x", "header": {"in_reply_to": "no"}, "body": {}}',
        b'{"type": "x", "header": {"packet_id": 1e400}, "body": {}}',
        b'{"type": "x", "body": {"' + b"a" * 40 + b'": "b"}}',
    ],
)
def test_what_is_no_packet_is_refused(central: RestCentral, posted: bytes) -> None:
    answer = central.call("POST", f"packets/{SITE}", posted)
    assert answer.status == 400
    assert answer.message.startswith("T51 well-formed: ")


def test_filters(central: RestCentral) -> None:
    _begin(central, "known_person")
    (first,) = central.waiting()
    reply = ModelSite().answer(first)
    assert reply is not None
    central.reply(first, *reply)

    def found(**query: Any) -> list[tuple[str, str]]:
        listed = central.call("GET", f"packets/{SITE}", **query).result
        return [(one["type"].split("_", 1)[0], one["header"]["packet_state"]) for one in listed]

    everything = [("request", "completed"), ("notify", "completed"), ("data", "in-progress")]
    number = first["header"]["trans_rec_id"]
    assert found() == [("data", "in-progress")]
    assert found(trans_rec_id=number) == found(trans_rec_id=f"1,{number}") == everything
    assert found(states="completed,in_progress") == found(transaction_state="in-progress") == everything
    assert found(states="completed", outgoing="True") == [("request", "completed")]
    assert found(incoming="true") == [("notify", "completed")]
    assert found(trans_rec_id=1) == found(client_state="seen") == []
    hour = timedelta(hours=1)
    past, future = (f"{datetime.now(UTC) + sign * hour:%Y-%m-%dT%H:%M:%S}" for sign in (-1, 1))
    assert found(update_time=f"{past},") == found(update_time=f",{future}") == everything
    assert found(update_time=f"{future}Z,") == found(update_time=f",{past}+00:00") == []
    bad: list[dict[str, Any]] = [{"outgoing": "perhaps"}, {"trans_rec_id": "x"}, {"update_time": "today"}]
    for wrong in (*bad, {"update_time": "today,"}):
        assert central.call("GET", f"packets/{SITE}", **wrong).status == 400


def test_what_a_site_keeps_with_a_packet(central: RestCentral) -> None:
    _begin(central, "known_person")
    (packet,) = central.waiting()
    path = f"packets/{SITE}/{packet['header']['packet_rec_id']}"

    def kept() -> tuple[Any, Any]:
        header = central.call("GET", path).result["header"]
        return header["client_state"], header["client_json"]

    assert central.call("PUT", f"{path}/client_state/waits%20for%2Fbo").status == 200
    assert central.call("PUT", f"{path}/client_json", {"a": [1, None]}).status == 200
    assert kept() == ("waits for/bo", {"a": [1, None]})
    assert len(central.call("GET", f"packets/{SITE}", client_state="waits for/bo").result) == 1
    assert central.call("DELETE", f"{path}/client_state").status == 200
    assert central.call("PUT", f"{path}/client_json", b"{").status == 400
    assert kept() == (None, {"a": [1, None]})
    assert central.call("DELETE", f"{path}/client_json").status == 200
    assert kept() == (None, None)


def test_transactions(central: RestCentral) -> None:
    _begin(central, "known_person")
    (packet,) = central.waiting()
    path = f"transactions/{SITE}/{packet['header']['trans_rec_id']}"
    transaction = central.call("GET", f"{path}/packets").result
    assert (transaction["state"], transaction["originating_site_name"]) == ("in-progress", "TGCDB")
    assert transaction["DATA"] == [packet]
    assert central.call("PUT", f"{path}/state/failed").status == 200
    assert central.call("GET", f"{path}/packets").result["state"] == "failed"
    assert central.call("PUT", f"{path}/state/failed").status == 404
    # The next step needs the project, and is left out.
    assert central.waiting() == [] or packet not in central.waiting()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"packets/{SITE}/1", 404), ("GET", f"packets/{SITE}/x", 404), ("GET", f"packets/{SITE}/{10**30}", 404),
        ("POST", f"packets/{SITE}/1/reply", 400), ("PUT", f"packets/{SITE}", 405), ("GET", "elsewhere", 404),
        ("GET", f"transactions/{SITE}/1/packets", 404), ("POST", f"test/{SITE}/scenarios", 400),
        ("DELETE", f"packets/{SITE}/1/client_json", 404), ("PUT", f"packets/{SITE}/1/client_state/x", 404),
    ],
)  # fmt: skip
def test_what_is_not_there(central: RestCentral, method: str, path: str, status: int) -> None:
    answer = central.call(method, path, b"")
    assert answer.status == status
    assert answer.message


def test_reset_forgets_all_and_uses_no_number_again(central: RestCentral) -> None:
    _begin(central, "known_person")
    (before,) = central.waiting()
    assert central.call("POST", f"test/{SITE}/reset").message == f"Reset site data for {SITE}"
    assert central.waiting() == []
    _begin(central, "known_person")
    (after,) = central.waiting()
    assert after["header"]["packet_rec_id"] > before["header"]["packet_rec_id"]
    assert after["header"]["transaction_id"] > before["header"]["transaction_id"]


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.THROTTLED, Fault.BROKEN])
def test_a_fault_that_keeps_a_call_from_being_done(central: RestCentral, fault: Fault) -> None:
    _begin(central, "known_person")
    (packet,) = central.waiting()
    assert central.call("POST", f"test/{SITE}/faults", kind=fault.value).status == 200
    reply = ModelSite().answer(packet)
    assert reply is not None
    answer = central.reply(packet, *reply)
    assert answer.status == int(fault.value)
    assert ("retry-after" in answer.headers) == (fault is Fault.THROTTLED)
    assert central.waiting() == [packet]
    assert central.report().violations == ()


@pytest.mark.parametrize("fault", [Fault.EMPTY, Fault.CUT])
def test_a_fault_after_the_reply_was_taken(central: RestCentral, fault: Fault) -> None:
    _begin(central, "known_person")
    (packet,) = central.waiting()
    central.call("POST", f"test/{SITE}/faults", kind=fault.value)
    reply = ModelSite().answer(packet)
    assert reply is not None
    try:
        answer: Answer | None = central.reply(packet, *reply)
    except http.client.IncompleteRead:
        answer = None
    assert (answer is None) == (fault is Fault.CUT)
    assert answer is None or (answer.status, answer.text) == (200, "")
    assert [one["type"] for one in central.waiting()] == ["data_project_create"]


def test_faults_by_rate_come_by_seed() -> None:
    def statuses(seed: int) -> list[int]:
        kinds = (Fault.UNAUTHORIZED, Fault.THROTTLED, Fault.BROKEN)
        with rest_central(FaultPlan(0.5, kinds, seed)) as served:
            return [served.call("GET", f"packets/{SITE}").status for _ in range(20)]

    assert statuses(3) == statuses(3) != statuses(4)
    assert len(set(statuses(3))) > 2


def test_a_store_goes_on_where_it_was(tmp_path: Any) -> None:
    with rest_central(file=tmp_path / "store.db") as served:
        _begin(served, "known_person")
        before = served.waiting()
    with rest_central(file=tmp_path / "store.db") as served:
        assert served.waiting() == before
        _play(served)
        assert served.report().counts()["completed"] == 6
