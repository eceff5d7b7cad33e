"""What a hold asks of a person, and whether an approval answers it."""

from collections.abc import Mapping

from amierules.database.work import WorkItem
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.diagnostics.suggest import hint_for


def to_approve(packet_rec_id: object, asked: Mapping[str, str]) -> str:
    """The command that approves a packet, as one types it."""
    return " ".join([f"`amierules approve {packet_rec_id}", *(f"--set {name}=VALUE" for name in asked)]) + "`"


def check_answers(item: WorkItem, answers: Mapping[str, str]) -> None:
    """Raises `NotAllowed` where an approval leaves out what the packet's hold asks for, or says what it does not."""
    asked = item.asked or {}
    packet = f"packet {item.packet_rec_id}"
    findings = [
        Finding(
            "unknown-answer",
            f"{packet} is not asked for '{printable(name, 60)}'",
            hint=hint_for(name, asked) or "nothing is asked for: leave --set out",
        )
        for name in answers
        if name not in asked
    ]
    findings += [
        Finding("missing-answer", f"{packet} needs '{name}': {printable(description)}", hint=f"add --set {name}=VALUE")
        for name, description in asked.items()
        if name not in answers
    ]
    findings += [
        Finding("bad-answer", f"the value of '{printable(name, 60)}' is no plain text", hint="type it anew")
        for name, value in answers.items()
        if not value.isprintable()
    ]
    if findings:
        raise NotAllowed(findings)
