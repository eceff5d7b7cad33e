"""Judging a packet that a site starts a transaction with."""

from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import Body
from amierules.tgcdb.content import judge_content
from amierules.tgcdb.judging import judge_sender
from amierules.tgcdb.judging_world import judge_account, judge_known, judge_project
from amierules.tgcdb.knowledge import Knowledge
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import COMPLETE


def judge_start(type_name: str, body: Body, known: Knowledge) -> list[Violation]:
    """What is wrong with the first packet of a site's own transaction."""
    if wrong := list(judge_sender(type_name)):
        return wrong
    if type_name == COMPLETE:
        return [Violation("T08", f"no transaction begins with {COMPLETE}")]
    wrong += judge_content(catalogue().types[type_name], body, reply=False)
    if type_name == "notify_project_create":
        wrong += judge_project(body, body, known)
    elif type_name == "notify_account_create":
        wrong += [
            *judge_known(type_name, {"ProjectID": body.get("ProjectID", "")}, known),
            *judge_account(body, body, known),
        ]
    else:
        wrong += judge_known(type_name, body, known)
    return wrong
