"""The official Python client at the REST front: the release that pip installs, and the current one's wire behaviour."""

import collections
import collections.abc
import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import amieclient
import pytest

from tests.support.model_site import COMPLETE, DONE, SITE, ModelSite
from tests.support.rest_central import KEY, RestCentral, rest_central


@pytest.fixture
def central() -> Iterator[RestCentral]:
    with rest_central() as served:
        yield served


@pytest.fixture
def client(central: RestCentral, monkeypatch: pytest.MonkeyPatch) -> Any:
    # The release asks for a version of python-dateutil that still looks for this here.
    monkeypatch.setattr(collections, "Callable", collections.abc.Callable, raising=False)
    made = amieclient.AMIEClient(site_name=SITE, api_key=KEY, amie_url=central.url)
    yield made
    made._session.close()


def _begin(central: RestCentral, scenario: str) -> None:
    assert central.call("POST", f"test/{SITE}/scenarios", type=scenario).status == 200


def test_the_released_client_plays_a_scenario(central: RestCentral, client: Any) -> None:
    _begin(central, "known_person")
    site, moving = ModelSite(), True
    while moving:
        moving = False
        for packet in client.list_packets(outgoing=True, states=["in-progress"]).packets:
            raw = central.call("GET", f"packets/{SITE}/{packet.packet_rec_id}").result
            answer = None if packet.packet_type == COMPLETE else site.answer(raw)
            if answer is None:
                continue
            reply = packet.reply_packet()
            for tag, value in answer[1].items():
                setattr(reply, tag, value)
            assert client.send_packet(reply).status_code == 200
            moving = True
    report = central.report()
    assert [str(one.rule) + one.message for one in report.wrong] == []
    assert report.counts()["completed"] == 6


def test_the_released_client_reads_and_annotates(central: RestCentral, client: Any) -> None:
    _begin(central, "request_project_reactivate")
    (packet,) = client.list_packets().packets
    client.set_packet_client_state(packet, "seen")
    assert [one.packet_rec_id for one in client.list_packets(client_states=["seen"]).packets] == [packet.packet_rec_id]
    assert client.get_packet(packet_rec_id=packet.packet_rec_id).PiLastName == packet.PiLastName
    begun = datetime.now(UTC) - timedelta(hours=1)
    assert len(client.list_packets(update_time_start=begun).packets) == 1
    client.set_transaction_failed(transaction_or_id=packet.trans_rec_id)
    assert client.list_packets().packets == []


def test_the_released_client_is_told_why_a_packet_is_refused(central: RestCentral, client: Any) -> None:
    _begin(central, "request_project_reactivate")
    (packet,) = client.list_packets().packets
    reply = packet.reply_packet()
    reply.ProjectID, reply.PiPersonID = "P-1", "7"
    with pytest.raises(amieclient.client.AMIERequestError, match="T10 required-tags"):
        client.send_packet(reply, skip_validation=True)


NULLS = dict.fromkeys(
    (
        "packet_rec_id", "trans_rec_id", "packet_id", "transaction_id", "local_site_name", "remote_site_name",
        "originating_site_name", "outgoing_flag", "transaction_state", "packet_state", "packet_timestamp",
        "client_state", "client_json",
    )
)  # fmt: skip
"""What the current client sends in the header of a reply besides in_reply_to."""


def _reply_as_current_client(packet: dict[str, Any], type_name: str, body: dict[str, Any]) -> dict[str, Any]:
    header = {**NULLS, "in_reply_to": packet["header"]["packet_rec_id"], "expected_reply_list": []}
    return {"DATA_TYPE": "Packet", "type": type_name, "body": body, "header": header}


def test_the_wire_behaviour_of_the_current_client(central: RestCentral) -> None:
    _begin(central, "known_person")
    site, moving = ModelSite(), True
    while moving:
        moving = False
        for packet in central.waiting():
            answer = site.answer(packet)
            if answer is None:
                continue
            body: dict[str, Any] = dict(answer[1])
            # An integer, dates with midnight, a time without seconds where it has no milliseconds, absent tags as null.
            if "DetailCode" in body:
                body["DetailCode"] = 1
            if "StartDate" in packet["body"] and answer[0] == "notify_project_create":
                body |= {"StartDate": f"{packet['body']['StartDate']}T00:00:00", "PiMiddleName": None}
            posted = _reply_as_current_client(packet, answer[0], body)
            assert central.call("POST", f"packets/{SITE}", posted).status == 200
            moving = True
    assert central.report().wrong == []


def test_the_current_client_acknowledges_the_end_of_a_transaction(central: RestCentral) -> None:
    _begin(central, "request_project_reactivate")
    site = ModelSite()
    for _ in range(6):
        for packet in central.waiting():
            answer = (COMPLETE, dict(DONE)) if packet["type"] == COMPLETE else site.answer(packet)
            assert answer is not None
            assert central.call("POST", f"packets/{SITE}", _reply_as_current_client(packet, *answer)).status == 200
    assert central.waiting() == []
    assert central.report().wrong == []


def test_a_packet_type_that_a_release_sends_wrong_is_seen(central: RestCentral) -> None:
    # notify_user_modify of release 0.6.1 goes out as notify_account_inactivate.
    body = {"ActionType": "replace", "PersonID": "7", "Email": "a@b.example"}
    posted = {"type": "notify_account_inactivate", "header": {**NULLS, "in_reply_to": None}, "body": body}
    central.call("POST", f"packets/{SITE}", posted)
    assert "T10" in {one.rule for one in central.report().violations}


def test_a_kept_connection_goes_on_after_an_empty_answer(central: RestCentral) -> None:
    connection = http.client.HTTPConnection(central.url.split("/")[2], timeout=60)
    headers = {"XA-SITE": SITE, "XA-API-KEY": KEY}
    central.call("POST", f"test/{SITE}/faults", kind="empty")
    answers: list[Any] = ["", {"message": None, "result": []}]
    for expected in answers:
        connection.request("GET", f"/packets/{SITE}", headers=headers)
        text = connection.getresponse().read().decode()
        assert (json.loads(text) if text else text) == expected
    connection.close()
