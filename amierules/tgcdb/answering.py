"""How the central database goes on once it has taken a packet: the next packet of the transaction, or its end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS, Body
from amierules.tgcdb import agenda, rows
from amierules.tgcdb.knowledge import Knowledge
from amierules.tgcdb.learning import learn_end
from amierules.tgcdb.records import COMPLETE, COMPLETED, FAILED, CentralPacket, Transaction
from amierules.tgcdb.starting import start
from amierules.tgcdb.subject import grant_of, person_of, prefixed, resource_of, text_of

SUCCESS = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
"""What the central database says at the end of a transaction that went well."""


def answer(
    connection: Connection, within: Transaction, taken: CentralPacket, behaviour: Mapping[str, Any], now: datetime
) -> None:
    """Goes on after a packet of the site that was taken; `behaviour` is that of the packet that it answers, if any.

    With `answer: failure` the central database ends the transaction with a Failure, with `answer: never` it says
    nothing more.
    """
    agenda.reached(connection, within, "replied", now)
    if taken.type == COMPLETE:
        failure = text_of(taken.body, "StatusCode") == "Failure"
        rows.change_packet(connection, taken.packet_rec_id, now, state=COMPLETED)
        over(connection, within, FAILED if failure else COMPLETED, now)
        return
    if behaviour.get("answer") == "never":
        return
    rows.change_packet(connection, taken.packet_rec_id, now, state=COMPLETED, answered_at=now)
    if behaviour.get("answer") == "failure":
        fail(connection, within, str(behaviour.get("message", "the central database could not record this")), now)
        return
    following = catalogue().types[taken.type].expected_replies[0].type
    if following == COMPLETE:
        rows.insert_packet(connection, within, COMPLETE, SUCCESS, to_site=True, now=now)
        over(connection, within, COMPLETED, now)
    else:
        content = _data(taken, Knowledge(connection, within.site))
        rows.insert_packet(connection, within, following, content, to_site=True, now=now, behaviour=behaviour)


def fail(connection: Connection, within: Transaction, message: str, now: datetime) -> None:
    """Ends a transaction with a Failure that says why."""
    content = {"StatusCode": "Failure", "DetailCode": "2", "Message": message}
    rows.insert_packet(connection, within, COMPLETE, content, to_site=True, now=now)
    over(connection, within, FAILED, now)


def over(connection: Connection, within: Transaction, state: str, now: datetime) -> None:
    """A transaction has ended. An inform_transaction_complete to the site stays listed until it is acknowledged."""
    rows.end_transaction(connection, within.trans_rec_id, state, now)
    packets = rows.packets_of(connection, within.trans_rec_id)
    for packet in packets:
        if packet.state == IN_PROGRESS and packet.type != COMPLETE:
            rows.change_packet(connection, packet.packet_rec_id, now, state=state)
    if state == COMPLETED and packets:
        learn_end(packets, Knowledge(connection, within.site))
        _inactivate_again(connection, within, packets[0], now)
    agenda.reached(connection, within, "over", now)


def _inactivate_again(connection: Connection, within: Transaction, opening: CentralPacket, now: datetime) -> None:
    """An account that was made on an inactive project is inactivated by a request of its own (AMIE in XSEDE, 2012)."""
    known, body = Knowledge(connection, within.site), opening.body
    if opening.type != "request_account_create":
        return
    grant, resource = grant_of(body, known), resource_of(body)
    person = person_of(opening.type, body, known)
    presence = known.presence(grant, resource) if grant and resource else None
    if presence is None or presence.active or person is None:
        return
    content = {
        "PersonID": known.person_ids(person)[0],
        "ProjectID": known.project_id(grant or ""),
        "ResourceList": [resource],
        "AllocatedResource": resource,
    }
    start(
        connection, within.site, "request_account_inactivate", content, now,
        run_id=within.run_id, expects=within.expects,
    )  # fmt: skip


def _data(taken: CentralPacket, known: Knowledge) -> dict[str, Any]:
    """What data_project_create and data_account_create tell: the ids, and all DNs of the person."""
    body: Body = taken.body
    person = person_of(taken.type, body, known)
    person_id = text_of(body, prefixed(taken.type, "PersonID"))
    owner = known.owner(person_id) if person_id else None
    person = owner or person
    ids = known.person_ids(person) if person else []
    content: dict[str, Any] = {
        "ProjectID": text_of(body, "ProjectID"),
        "PersonID": ids[0] if ids else person_id,
        "DnList": known.dns(person) if person else [],
    }
    if person is not None and not person.startswith("@"):
        content["GlobalID"] = person
    return {tag: value for tag, value in content.items() if value}
