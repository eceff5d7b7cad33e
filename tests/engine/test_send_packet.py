"""Packets with which a site starts a transaction: by a rule, written in the one commit, and what answers them."""

import pytest
from sqlalchemy import select

from amierules.database import amie_tables, packets
from amierules.database.connection import Database
from amierules.database.packets import StoredPacket
from amierules.engine.site import Site
from tests.support.sites import (
    CENTRAL,
    NOW,
    SITE,
    MakeSite,
    decision,
    events_of,
    itc,
    load,
    make_site,
    plan,
    reason_of,
    rpi,
    run,
    status_of,
    steps_of,
    stored,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
SEND = "      - {name: tell, send_packet: {type: notify_person_ids, fields: {%s}}%s}\n"
FIELDS = 'PersonID: "7", PrimaryPersonID: "8", PersonIdList: ["7", "9"]'
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"
CLOSING = "packet: inform_transaction_complete\nrules: [{name: end, complete: done}]\n"


def _ours(site: Site) -> list[StoredPacket]:
    """The packets with which our site started transactions, in their order."""
    table, started = amie_tables.packet_tbl.c, amie_tables.transaction_tbl.c
    query = select(table.packet_rec_id).join_from(amie_tables.packet_tbl, amie_tables.transaction_tbl)
    query = query.where(started.originating_site_name == SITE, table.outgoing_flag == 1)
    with site.database.read() as connection:
        found = packets.read_packets(connection, list(connection.scalars(query)), site.name)
    return [found[number] for number in sorted(found)]


def test_a_rule_starts_a_transaction(any_database: Database, tmp_path: object, request: pytest.FixtureRequest) -> None:
    site = make_site(any_database, request.getfixturevalue("tmp_path"), {"a.yaml": HEAD + SEND % (FIELDS, "") + REPLY})
    (packet,) = load(site, rpi())
    run(site)
    (sent,) = _ours(site)
    header = sent.packet.header
    assert (header.type, header.transaction_id, header.packet_id) == ("notify_person_ids", 1, 1)
    assert (header.local_site_name, header.remote_site_name, header.outgoing) == (SITE, CENTRAL, True)
    assert (header.packet_state, header.transaction_state) == ("in-progress", "in-progress")
    assert header.timestamp == NOW
    assert [(reply.type, reply.timeout) for reply in header.expected_replies] == [
        ("inform_transaction_complete", 30240)
    ]
    assert sent.packet.body == {"PersonID": "7", "PrimaryPersonID": "8", "PersonIdList": ["7", "9"]}
    assert status_of(site, packet) == "done"
    said = f"notify_person_ids as packet {header.packet_rec_id}, of our transaction 1"
    assert said in [event.why for event in events_of(site, packet)]


def test_what_answers_it_ends_its_transaction(make: MakeSite) -> None:
    site = make({"a.yaml": HEAD + SEND % (FIELDS, "") + REPLY, "b.yaml": CLOSING})
    load(site, rpi())
    run(site)
    (answer,) = load(site, itc(originating_site_name=SITE, transaction_id=1))
    run(site)
    (sent,) = _ours(site)
    assert (sent.packet.header.packet_state, sent.packet.header.transaction_state) == ("completed", "completed")
    assert stored(site, answer).packet.header.trans_rec_id == sent.packet.header.trans_rec_id


def test_each_has_a_transaction_of_its_own(make: MakeSite) -> None:
    loop = SEND % ('PersonID: "{{ item }}", PrimaryPersonID: "8"', ", for_each: \"['a', 'b', 'c']\"")
    site = make(HEAD + loop + REPLY)
    load(site, rpi(), rpi({"Comment": "c"}))
    run(site)
    sent = [one.packet for one in _ours(site)]
    assert [one.header.transaction_id for one in sent] == [1, 2, 3, 4, 5, 6]
    assert [one.body["PersonID"] for one in sent] == ["a", "b", "c"] * 2


def test_an_id_is_never_used_twice(make: MakeSite) -> None:
    site = make(HEAD + SEND % (FIELDS, "") + REPLY)
    load(site, rpi())
    run(site)
    (sent,) = _ours(site)
    with site.database.begin() as connection:
        number = sent.packet.header.packet_rec_id
        for table in (amie_tables.data_tbl, amie_tables.expected_reply_tbl, amie_tables.packet_tbl):
            connection.execute(table.delete().where(table.c.packet_rec_id == number))
        gone = amie_tables.transaction_tbl.c.trans_rec_id == sent.packet.header.trans_rec_id
        connection.execute(amie_tables.transaction_tbl.delete().where(gone))
    load(site, rpi())
    run(site)
    assert [one.packet.header.transaction_id for one in _ours(site)] == [2]


@pytest.mark.parametrize("used", [9, 10, 10**30])
def test_an_id_follows_those_that_others_gave_in_our_name(make: MakeSite, used: int) -> None:
    site = make({"a.yaml": HEAD + SEND % (FIELDS, "") + REPLY, "b.yaml": CLOSING})
    load(site, rpi(), itc(originating_site_name=SITE, transaction_id=used), itc(transaction_id=used + 5))
    run(site)
    assert [one.packet.header.transaction_id for one in _ours(site)] == [used + 1]


@pytest.mark.parametrize(("on_error", "status"), [("park", "parked"), ("fail", "failed")])
def test_a_packet_that_is_parked_or_failed_sends_nothing(make: MakeSite, on_error: str, status: str) -> None:
    failing = f"      - {{name: b, on_error: {on_error}, command: {{run: 'false', unless: {{run: 'false'}}}}}}\n"
    site = make(HEAD + SEND % (FIELDS, "") + failing + REPLY)
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), _ours(site)) == (status, [])


def test_a_packet_that_is_held_in_between_sends_it_once(make: MakeSite) -> None:
    effect = "      - {name: e, register: e, command: {run: 'true', unless: {run: 'false'}}}\n"
    ask = "      - {name: s, assert: {that: e.rc == 1, message: m, else: hold}}\n"
    site = make(HEAD + SEND % (FIELDS, "") + effect + ask + REPLY)
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), _ours(site)) == ("held", [])
    assert steps_of(site, packet)["tell"].state == "done"
    decision(site, packet, "approve")
    run(site)
    assert status_of(site, packet) == "done"
    (sent,) = _ours(site)
    assert sent.packet.body["PersonIdList"] == ["7", "9"]


def test_its_result_is_what_is_sent(make: MakeSite) -> None:
    actions = (
        SEND % (FIELDS, ", register: told")
        + "      - {name: x, assert: {that: told.body.PersonID == '7', message: m}}\n"
    )
    site = make(HEAD + actions + REPLY)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "done"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ('PersonID: "{{ packet.Comment }}", PrimaryPersonID: "8"', "notify_person_ids must have a value for PersonID"),
        ('PersonID: "7", PrimaryPersonID: "8", PersonIdList: {a: b}', "PersonIdList"),
    ],
)
def test_what_amie_would_not_take_parks(make: MakeSite, fields: str, reason: str) -> None:
    site = make(HEAD + SEND % (fields, "") + REPLY)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    assert reason in reason_of(site, packet)
    assert _ours(site) == []


def test_names_are_transliterated_as_in_a_reply(make: MakeSite) -> None:
    fields = 'type: notify_user_modify, fields: {ActionType: replace, PersonID: "7", FirstName: "Jürgen"}'
    site = make(HEAD + "      - {name: tell, send_packet: {" + fields + "}}\n" + REPLY)
    load(site, rpi())
    run(site)
    assert _ours(site)[0].packet.body["FirstName"] == "Jurgen"


def test_another_site_must_be_one_of_the_configuration(make: MakeSite) -> None:
    send = "      - {name: tell, send_packet: {type: notify_person_ids, to: %s, fields: {" + FIELDS + "}}}\n"
    site = make(HEAD + send % "OTHER" + REPLY, remote_site_name=[CENTRAL, "OTHER"])
    load(site, rpi())
    run(site)
    assert _ours(site)[0].packet.header.remote_site_name == "OTHER"
    site = make(HEAD + send % "NOBODY" + REPLY)
    (packet,) = load(site, rpi())
    run(site)
    assert "NOBODY is no remote site" in reason_of(site, packet)


def test_a_dry_run_shows_it_and_sends_nothing(make: MakeSite) -> None:
    site = make(HEAD + SEND % (FIELDS, "") + REPLY)
    load(site, rpi())
    (report,) = plan(site)
    (change,) = report.steps[0].changes
    assert change.summary == "send notify_person_ids"
    assert change.after == {"PersonID": "7", "PrimaryPersonID": "8", "PersonIdList": ["7", "9"]}
    assert _ours(site) == []


def test_a_value_that_is_known_later_is_shown_as_such(make: MakeSite) -> None:
    made = "      - {name: p, person: {attributes: {FirstName: Bo}, login_from: [bo]}}\n"
    fields = 'PersonID: "{{ person.person_id }}", PrimaryPersonID: "8"'
    site = make(HEAD + made + SEND % (fields, "") + REPLY)
    load(site, rpi())
    (report,) = plan(site)
    assert report.steps[-1].state == "change", report.steps[-1]
    run(site)
    assert _ours(site)[0].packet.body["PersonID"] == "20000"
