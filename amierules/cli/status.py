"""`amierules status`: what waits and why."""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import STATUS_STYLES, paint, row_width, say, say_json, shortened, tell, wrapped
from amierules.cli.ending import command
from amierules.cli.observed import observations_as_json, say_observations
from amierules.cli.opening import open_site
from amierules.cli.options import ConfigOption
from amierules.database.observed import observations
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.work import NEED_A_PERSON, OPEN_STATUSES
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, NotAllowed, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.begun import settled_by
from amierules.engine.condition import Condition, Exchanged, condition, prometheus
from amierules.engine.overview import Line, listing


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(status))


_HELP = """List the packets that wait, and why. Ends with 3 if any of them needs a person.

\b
  amierules status                  what waits
  amierules status --all            finished packets too
  amierules status --status held    what a person must look at
  amierules status --check          one line for monitoring
  amierules status --observed       what `run --observe` has seen
  amierules show 17                 all about one packet

Replies that are overdue, packets older than a week, and what is paused are named below the list. With --check the
exit status is 3 for those too, and for messages that were not sent. Where the database or the configuration is not to
be had the line begins with `unknown:`, and --format prometheus, for a text file collector, says `amierules_up 0`.
"""


class StatusFormat(StrEnum):
    """How `status` prints what it found."""

    text = "text"
    json = "json"
    prometheus = "prometheus"


_ALL = (*OPEN_STATUSES, *FINAL_STATUSES)


def status(
    all_: Annotated[bool, typer.Option("--all", "-a", help="Finished packets too.")] = False,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help=f"Only packets of this status: {', '.join(_ALL)}."),
    ] = None,
    observed: Annotated[
        bool, typer.Option("--observed", help="What `run --observe` found, beside another program's answers.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="One line that says whether all is well.")] = False,
    config: ConfigOption = None,
    format: Annotated[
        StatusFormat, typer.Option("--format", "-f", help="text for people, json for scripts, prometheus for metrics.")
    ] = StatusFormat.text,
) -> ExitStatus:
    """List packets."""
    if observed:
        return _observed(config, format, nothing_else=not (all_ or statuses or check))
    if check and (all_ or statuses or format is not StatusFormat.text):
        raise NotAllowed(
            Finding("usage", "--check is one line about all packets: leave out --all, --status and --format")
        )
    for given in statuses or ():
        if given not in _ALL:
            close = did_you_mean(given, _ALL)
            hint = f"did you mean '{close}'?" if close else f"possible: {', '.join(_ALL)}"
            raise NotAllowed(Finding("unknown-status", f"there is no status '{printable(given)}'", hint=hint))
    try:
        with open_site(config, create=False) as site:
            standing = condition(site)
            lines = [] if check else listing(site, final=all_, statuses=statuses)
    except AmierulesError as error:
        _say_unknown(error, check, format)
        raise
    if format is StatusFormat.prometheus:
        say("\n".join(prometheus(standing)))
        return ExitStatus.OK
    if check:
        return _check(standing)
    if format is StatusFormat.json:
        packets = [line.as_json() for line in lines]
        say_json({"format_version": 1, "packets": packets, "messages": standing.messages, **standing.as_json()})
    else:
        _table(lines, statuses, all_)
        _tell_messages(standing.messages)
        _tell_exchange(standing.exchange)
        _standing_out(standing)
        _closing(lines)
    refused = standing.exchange is not None and standing.exchange.refused + standing.exchange.unreadable > 0
    needing = refused or any(line.status in NEED_A_PERSON for line in lines)
    return ExitStatus.NEEDS_PERSON if needing else ExitStatus.OK


def _observed(config: Path | None, format: StatusFormat, *, nothing_else: bool) -> ExitStatus:
    if not nothing_else or format is StatusFormat.prometheus:
        raise NotAllowed(Finding("usage", "--observed is a list of its own: leave out the other options"))
    with open_site(config, create=False) as site, site.database.read() as connection:
        found = observations(connection)
    if format is StatusFormat.json:
        say_json(observations_as_json(found))
    else:
        say_observations(found)
    return ExitStatus.OK


def _say_unknown(error: AmierulesError, check: bool, format: StatusFormat) -> None:
    """What reads standard output alone is to hear that nobody can tell."""
    if check:
        first = error.findings[0]
        where = f"{first.place.file}:{first.place.line}: " if first.place else ""
        say(f"unknown: {printable(where + first.message, 400)}")
    elif format is StatusFormat.prometheus:
        say("\n".join(prometheus(None)))


def _check(standing: Condition) -> ExitStatus:
    """One line: whether anybody should look, and at what."""
    troubles = list(standing.troubles())
    waiting = sum(standing.counts[status] for status in OPEN_STATUSES)
    oldest = f", the oldest {_since(standing.now, standing.age(standing.oldest))}" if standing.oldest else ""
    summary = f"{waiting} open{oldest}"
    say(f"attention: {'; '.join(troubles)} ({summary})" if troubles else f"ok: {summary}")
    return ExitStatus.NEEDS_PERSON if troubles else ExitStatus.OK


def _standing_out(standing: Condition) -> None:
    """What the list alone does not show."""
    for ours, whose in ((True, "unanswered in time"), (False, "that we sent unanswered in time")):
        late = [one for one in standing.overdue if one.ours is ours]
        if late:
            named = ", ".join(f"{one.packet_rec_id} ({_late(standing.now, one.due_at)})" for one in late[:5])
            more = f" and {len(late) - 5} more" if len(late) > 5 else ""
            _tell(f"{len(late)} {whose}: {named}{more}")
    if standing.old and standing.oldest:
        oldest = _since(standing.now, standing.age(standing.oldest))
        _tell(f"{standing.old} open for more than a week, the oldest {oldest}")
    for one in standing.pauses:
        packets = standing.paused.get(one.name, 0)
        until = "until `amierules resume`" if one.until is None else f"tried again at {one.until:%H:%M:%S}Z"
        reason = printable(one.reason, 200) or f"by {printable(one.who)}"
        _tell(f"{printable(one.name)} is paused ({reason}), {until}; {packets} waiting")


def _tell(text: str) -> None:
    tell(wrapped(text, sys.stderr))


_LONG_AGO = timedelta(days=90)
"""What is longer ago is said by its date."""


def _since(now: datetime, age: timedelta) -> str:
    return f"for {_ago(age)}" if age < _LONG_AGO else f"since {now - age:%Y-%m-%d}"


def _late(now: datetime, due_at: datetime) -> str:
    return f"{_ago(now - due_at)} late" if now - due_at < _LONG_AGO else f"due {due_at:%Y-%m-%d}"


def _ago(time: timedelta) -> str:
    seconds = max(int(time.total_seconds()), 0)
    units = ((86400, "d"), (3600, "h"), (60, "m"))
    size, unit = next((one for one in units if seconds >= one[0]), (1, "s"))
    return f"{seconds // size} {unit}"


def _table(lines: list[Line], statuses: list[str] | None, final: bool) -> None:
    if not lines and (statuses or final):
        _tell(f"no packet is {' or '.join(statuses)}" if statuses else "there are no packets")
        return
    if not lines:
        _tell("no packets wait")
        return
    width = row_width()
    ids = max(len(_id(line)) for line in lines)
    longest = 40 if width else 10_000
    types = max(len(printable(line.type, longest)) for line in lines)
    for line in lines:
        head = f"{_id(line):>{ids}}  {printable(line.type, longest):<{types}}  "
        reason = printable(line.reason or "", width or 10_000)
        short = shortened(reason, width - len(head) - 11) if width else reason
        say(head + paint(f"{line.status:<9}", STATUS_STYLES.get(line.status, "wait")) + "  " + short)


def _closing(lines: list[Line]) -> None:
    """What a person is to do next."""
    needing = sum(1 for line in lines if line.status in NEED_A_PERSON and line.status != "in_doubt")
    if needing:
        verb = "needs" if needing == 1 else "need"
        _tell(f"{needing} {verb} a person: `amierules show ID`, then approve, retry, fail or complete")
    doubtful = [line.packet_rec_id for line in lines if line.status == "in_doubt"]
    if doubtful:
        verb = "is" if len(doubtful) == 1 else "are"
        one = str(doubtful[0]) if len(doubtful) == 1 else "ID"
        _tell(f"{len(doubtful)} {verb} in doubt: `amierules show {one}` names the step, then {settled_by(one, 'PATH')}")


def _tell_messages(counts: Mapping[str, int]) -> None:
    """One line on the messages that are not sent; nothing where all are."""
    told = [f"{number} {state}" for state, number in counts.items() if number]
    if told:
        _tell(f"messages: {', '.join(told)}; `amierules messages list` shows them")


def _tell_exchange(exchanged: Exchanged | None) -> None:
    """One line on what is not exchanged; nothing where all is."""
    if exchanged is None:
        return
    told = [f"{count} to be sent to {printable(name)}" for name, count in exchanged.waiting.items()]
    told += [f"{exchanged.refused} refused"] if exchanged.refused else []
    told += [f"{exchanged.unreadable} listed that cannot be read"] if exchanged.unreadable else []
    if told:
        _tell(f"exchange: {', '.join(told)}; `amierules exchange list` shows them")


def _id(line: Line) -> str:
    if line.packet_rec_id is not None:
        return str(line.packet_rec_id)
    return f"r:{line.remote_packet_rec_id}" if line.remote_packet_rec_id is not None else "-"
