"""Judging a reply of a site against the packet that it answers, and against all that the site has said before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from amierules.diagnostics import printable
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import Body
from amierules.tgcdb.content import judge_content
from amierules.tgcdb.judging_world import judge_account, judge_project, judge_record
from amierules.tgcdb.knowledge import Knowledge
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import COMPLETE, CentralPacket, Transaction
from amierules.tgcdb.subject import grant_of, resource_of, text_of

_FROM_SITE = ("from_site", "both")
_PROJECT_MADE, _ACCOUNT_MADE = "notify_project_create", "notify_account_create"


@dataclass(frozen=True)
class Case:
    """A reply, and all that it is judged by."""

    transaction: Transaction
    request: CentralPacket
    opening: CentralPacket
    """The first packet of the transaction."""
    type: str
    body: Body
    known: Knowledge
    now: datetime


def judge_reply(case: Case) -> list[Violation]:
    """What is wrong with a reply to a packet that is open; the content only where its type may come at all."""
    wrong = list(_judge_type(case))
    if not wrong:
        wrong += judge_content(catalogue().types[case.type], case.body, reply=True)
        wrong += _judge_end(case) if case.type == COMPLETE else _judge_answer(case)
    minutes = case.request.minutes
    if minutes is not None and case.now - case.request.ts > timedelta(minutes=minutes):
        wrong.append(
            Violation("T35", f"the reply was due within {minutes} minutes of {case.request.ts:%Y-%m-%d %H:%M}Z")
        )
    return wrong


def judge_sender(type_name: str) -> Iterator[Violation]:
    """Whether a site may send packets of this type at all."""
    type_ = catalogue().types.get(type_name)
    if type_ is None:
        yield Violation("T04", f"{printable(type_name, 60)} is no packet type of AMIE")
    elif type_.direction not in _FROM_SITE:
        yield Violation("T04", f"a site does not send {type_name}")


def _judge_type(case: Case) -> Iterator[Violation]:
    expected = [reply.type for reply in case.request.expects]
    status = text_of(case.body, "StatusCode")
    if wrong := list(judge_sender(case.type)):
        yield from wrong
    elif case.request.type == COMPLETE:
        if case.type != COMPLETE or status != "Success":
            yield Violation("T07", f"{case.type} with StatusCode {printable(status or 'none', 20)} answers {COMPLETE}")
    elif case.type == COMPLETE and status == "Success" and COMPLETE not in expected:
        yield Violation("T06", f"{case.request.type} expects {' or '.join(expected)}, not the end of the transaction")
    elif case.type not in expected and case.type != COMPLETE:
        yield Violation("T03", f"{case.type} answers {case.request.type}, which expects {' or '.join(expected)}")


def _judge_end(case: Case) -> Iterator[Violation]:
    if text_of(case.body, "StatusCode") == "Failure" and case.transaction.expects == "completed":
        reason = printable(text_of(case.body, "Message") or "", 200)
        yield Violation("T34", f"{case.request.type} was answered with Failure: {reason}")


def _judge_answer(case: Case) -> Iterator[Violation]:
    request, body, known = case.request.body, case.body, case.known
    asked, given = resource_of(request), resource_of(body)
    if asked is not None and given is not None and asked != given:
        yield Violation("T14", f"{printable(given, 80)} instead of {printable(asked, 80)}", "ResourceList")
    for tag in ("GrantNumber", "PfosNumber"):
        before, after = text_of(request, tag), text_of(body, tag)
        if before is not None and after is not None and before != after:
            yield Violation("T15", f"{tag} {printable(after, 60)} instead of {printable(before, 60)}", tag)
    if case.type == _PROJECT_MADE:
        yield from judge_project(request, body, known)
        yield from judge_record(request, body, known)
    else:
        yield from _same_project(case)
    if case.type == _ACCOUNT_MADE:
        yield from judge_account(request, body, known)
    elif case.type != _PROJECT_MADE:
        yield from _same_person(case)


def _same_project(case: Case) -> Iterator[Violation]:
    """The ProjectID of a reply about a project that is there."""
    project_id = text_of(case.body, "ProjectID")
    if project_id is None:
        return
    if case.known.grant_of(project_id) is None:
        yield Violation("T20", f"ProjectID {printable(project_id, 60)} was never given to a project", "ProjectID")
        return
    asked = text_of(case.request.body, "ProjectID")
    grant = grant_of(case.request.body, case.known)
    if project_id != asked and case.known.grant_of(project_id) != grant:
        wanted = printable(asked or f"that of grant {grant}", 60)
        yield Violation("T23", f"ProjectID {printable(project_id, 60)} instead of {wanted}", "ProjectID")


def _same_person(case: Case) -> Iterator[Violation]:
    """The PersonID of a reply about a person who is there."""
    asked, given = text_of(case.request.body, "PersonID"), text_of(case.body, "PersonID")
    if asked is None or given is None or asked == given:
        return
    owner = case.known.owner(given)
    if owner is None or owner != case.known.owner(asked):
        yield Violation("T28", f"PersonID {printable(given, 60)} instead of {printable(asked, 60)}", "PersonID")
