"""`amierules show`: all about one packet."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from amierules.cli.console import paint, say, say_json, wrapped
from amierules.cli.ending import command
from amierules.cli.opening import only_off_the_list, open_site, packet_ids
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.database.approvals import Approval
from amierules.database.events import Event
from amierules.database.journal import StepRow
from amierules.database.kept import KeptPacket, is_closed
from amierules.database.outbox import Queued
from amierules.database.own_tables import FINAL_STATUSES
from amierules.diagnostics import ExitStatus, Finding, Invalid, NotAllowed, printable
from amierules.engine.begun import STARTED, settled_by
from amierules.engine.message import OF_RULE
from amierules.engine.overview import Details, details, kept_details
from amierules.protocol.json_form import packet_as_json
from amierules.testing.replay.appending import append
from amierules.testing.replay.as_test import as_test
from amierules.testing.stage import Stages


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(show))


_HELP = """Show one packet: its tags, the rule, the steps, its events, and the other packets of its transaction.

\b
  amierules show 17            by local packet_rec_id
  amierules show r:233497907   by the remote one
  amierules show 17 --as-test --output tests/packet_17.yaml
  amierules show 17 --as-test --append tests/accounts.yaml

`--as-test` writes a test for `amierules test`: the packet, the registry as it was, what programs answered, and what
came of it. Names, addresses, ids and logins of people are replaced by others of the same shape. `--append` adds it to a
test file and leaves what that has already as it is.
"""


_LONGEST = 10_000
"""Nothing is left out of what a person asks for, but a text that would fill the screen many times over."""


def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The local packet_rec_id, or r:ID for the remote one.")],
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
    as_test_: Annotated[
        bool, typer.Option("--as-test", help="Print a rule test of what happened to it, without people's data.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="With --as-test: write it into this new file.")
    ] = None,
    append_: Annotated[
        Path | None,
        typer.Option("--append", metavar="FILE", help="With --as-test: add it to this test file."),
    ] = None,
) -> ExitStatus:
    """Show a packet."""
    if output is not None and append_ is not None:
        raise NotAllowed(Finding("usage", "--output writes a new file, --append adds to one: name one of them"))
    if as_test_:
        return _as_test(id_, config, format, output, append_)
    if output is not None or append_ is not None:
        raise NotAllowed(Finding("usage", f"{'--append' if output is None else '--output'} goes with --as-test"))
    with open_site(config, create=False) as site:
        kept = kept_details(site, id_)
        if kept is not None:
            _show_kept(kept, format)
            return ExitStatus.OK
        found = details(site, packet_ids(site, [id_], incoming=False)[0])
    if format is OutputFormat.json:
        say_json(_json(found))
    else:
        for line in _lines(found):
            say(wrapped(line))
    return ExitStatus.OK


def _as_test(
    id_: str, config: Path | None, format: OutputFormat, output: Path | None, append_: Path | None
) -> ExitStatus:
    if format is OutputFormat.json:
        raise NotAllowed(Finding("usage", "a rule test is YAML: leave out --format"))
    if output is not None and output.exists():
        raise NotAllowed(Finding("usage", f"{printable(output)} is there already: name a new file"))
    if append_ is not None:
        with open_site(config, create=False) as site, Stages.opened() as stages:
            name = append(site, stages, packet_ids(site, [id_])[0], append_)
        say(f"`{printable(name)}` is added to {printable(append_)}; `amierules test {printable(append_)}` runs it")
        return ExitStatus.OK
    with open_site(config, create=False) as site, Stages.opened() as stages:
        text = as_test(site, stages, packet_ids(site, [id_])[0])
    if output is None:
        say(text.rstrip("\n"))
        return ExitStatus.OK
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{printable(output)} cannot be written: {error.strerror or error}"
        raise Invalid(Finding("cannot-write", message, hint="is its folder there?")) from error
    say(f"{printable(output)} is written; `amierules test {printable(output)}` runs it")
    return ExitStatus.OK


def _show_kept(kept: KeptPacket, format: OutputFormat) -> None:
    """A packet of an unknown type: all that is known of it is what came."""
    if format is OutputFormat.json:
        packet = {"packet_rec_id": None, "status": kept.status, "rule": None, "reason": kept.reason, "packet": kept.raw}
        empty: dict[str, Any] = {"asked": None, "approvals": [], "steps": [], "events": []}
        say_json({"format_version": 1, **packet, **empty, "messages": [], "transaction": []})
        return
    say(paint(f"packet r:{kept.remote_packet_rec_id}  {printable(kept.type)}", "strong"))
    say(wrapped(f"  {kept.status}: {printable(kept.reason)}; it is kept outside AMIE's tables"))
    if not is_closed(kept):
        say(wrapped(f"  {only_off_the_list(kept).hint}"))
    for tag, value in (kept.raw.get("body") or {}).items():
        say(wrapped(f"  {printable(tag)}: {_value(value)}"))


def _json(found: Details) -> dict[str, Any]:
    item = found.item
    return {
        "format_version": 1,
        "packet_rec_id": found.stored.packet.header.packet_rec_id,
        "status": item.status if item else None,
        "rule": item.rule if item else None,
        "reason": item.reason if item else None,
        "asked": item.asked if item else None,
        "approvals": [_approval_json(one) for one in found.approvals],
        "packet": packet_as_json(found.stored.packet),
        "steps": steps_json(found.steps),
        "events": events_json(found.events),
        "messages": [message_json(one) for one in found.messages],
        "transaction": [
            {
                "packet_rec_id": one.packet.header.packet_rec_id,
                "type": one.packet.header.type,
                "outgoing": one.packet.header.outgoing,
                "state": one.state,
            }
            for one in found.transaction
        ],
    }


def _approval_json(one: Approval) -> dict[str, Any]:
    said = {"by": one.by, "reason": one.reason, "at": one.at.isoformat(), "answers": dict(one.answers)}
    return {"of": one.rule, **said}


def steps_json(steps: list[StepRow]) -> list[dict[str, Any]]:
    """The steps of the journal."""
    return [
        {
            "path": step.path,
            "kind": step.kind,
            "state": step.state,
            "reason": step.reason,
            "changes": step.changes or [],
            "started_at": step.started_at.isoformat(),
            "finished_at": step.finished_at.isoformat() if step.finished_at else None,
            "host": step.host,
            "pid": step.pid,
            "deadline": step.deadline.isoformat() if step.deadline else None,
        }
        for step in steps
    ]


def events_json(events: list[Event]) -> list[dict[str, Any]]:
    """What happened to a packet."""
    return [{"at": one.at.isoformat(), "who": one.who, "what": one.what, "why": one.why} for one in events]


def message_json(one: Queued) -> dict[str, Any]:
    """A message, without what it says."""
    return {
        "message_id": one.message_id,
        "channel": one.channel,
        "target": one.target or None,
        "of": one.source,
        "rule": one.rule or None,
        "outcome": one.outcome,
        "state": one.state,
        "attempts": one.attempts,
        "reason": one.reason,
        "queued_at": one.queued_at.isoformat(),
        "next_attempt_at": one.next_attempt_at.isoformat() if one.next_attempt_at else None,
    }


def _lines(found: Details) -> Iterator[str]:
    yield from head_lines(found)
    yield ""
    for tag, value in found.stored.packet.body.items():
        yield f"  {printable(tag)}: {_value(value)}"
    item = found.item
    # A run under way will say how a step ended, and the reason of a packet in doubt says what to type.
    settles_itself = item is None or item.status in (*FINAL_STATUSES, "running", "in_doubt")
    yield from step_lines(found.steps, None if settles_itself or item is None else item.packet_rec_id)
    yield from ("", "transaction")
    for one in found.transaction:
        arrow = "<-" if one.packet.header.outgoing else "->"
        yield f"  {arrow} {one.packet.header.packet_rec_id} {one.packet.header.type}, {one.state}"
    yield from event_lines(found.events)
    yield from message_lines(found.messages)


def head_lines(found: Details) -> Iterator[str]:
    """Which packet it is, and how it stands."""
    header, item = found.stored.packet.header, found.item
    remote = f" (r:{header.remote_packet_rec_id})" if header.remote_packet_rec_id is not None else ""
    yield paint(f"packet {header.packet_rec_id}{remote}  {header.type}", "strong")
    yield f"  from {printable(header.remote_site_name)}, {_time(header.timestamp)}, transaction {header.transaction_id}"
    standing = item.status if item else "outgoing" if header.outgoing else "not taken in yet"
    yield (
        f"  {standing}" + (f" by rule '{item.rule}'" if item and item.rule else "") + f"; in AMIE {header.packet_state}"
    )
    if item and item.reason:
        yield f"  {printable(item.reason, _LONGEST)}"
    for name, description in (item.asked or {}).items() if item else ():
        yield f"  asks for {name}: {printable(description, _LONGEST)}"
    if item and item.next_attempt_at:
        yield f"  next attempt at {_time(item.next_attempt_at)}"
    if found.kept and not is_closed(found.kept):
        shown = f"r:{found.kept.remote_packet_rec_id}"
        yield f"  {shown} is also a packet of the unknown type {printable(found.kept.type, 60)}, kept for a person;"
        yield f"  once this one has ended, `amierules complete {shown}` takes it off the list"


def step_lines(steps: list[StepRow], in_doubt: int | None = None) -> Iterator[str]:
    """The steps of the journal, under a heading; nothing where there are none.

    `in_doubt` is the id of the packet where a person may settle its steps in doubt: they say how.
    """
    if steps:
        yield from ("", "steps")
    for step in steps:
        yield f"  {step.state:<8} {printable(step.path)}" + (f"  {printable(step.reason)}" if step.reason else "")
        if step.state == STARTED and step.host is not None:
            until = f", until {_time(step.deadline)} at the latest" if step.deadline else ""
            yield f"           begun on {printable(step.host)} by process {step.pid}{until}"
        if step.state == STARTED and in_doubt is not None:
            yield f"           {settled_by(in_doubt, step.path)}"


def event_lines(events: list[Event]) -> Iterator[str]:
    """What happened to a packet, under a heading; nothing where nothing did."""
    if events:
        yield from ("", "events")
    for event in events:
        yield f"  {_time(event.at)}  {printable(event.who)}: {event.what}" + (
            f": {printable(event.why, _LONGEST)}" if event.why else ""
        )


def message_lines(messages: list[Queued]) -> Iterator[str]:
    """The messages about a packet, under a heading; nothing where there are none."""
    if messages:
        yield from ("", "messages")
    for one in messages:
        yield f"  {one.state:<8} {message_text(one)}"


def message_text(one: Queued) -> str:
    """Whom a message goes to, what brought it, and why it is not sent."""
    of = f"rule '{one.rule}'" if one.source == OF_RULE else f"notify.{one.outcome}"
    to = f" to {printable(one.target)}" if one.target else ""
    return f"{one.channel}{to}, of {printable(of)}" + (f": {printable(one.reason, _LONGEST)}" if one.reason else "")


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{printable(key)}: {printable(one)}" for key, one in value.items()) + "}"
    return printable(value, _LONGEST)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
