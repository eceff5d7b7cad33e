"""`amierules status`: what waits and why."""

from collections.abc import Mapping
from typing import Annotated

import typer

from amierules.cli.console import STATUS_STYLES, paint, row_width, say, say_json, shortened, tell
from amierules.cli.ending import command
from amierules.cli.messages import settled_by
from amierules.cli.opening import open_site
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.work import NEED_A_PERSON, OPEN_STATUSES
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.overview import Line, listing, message_counts


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(status))


_HELP = """List the packets that wait, and why. Ends with 3 if any of them needs a person.

\b
  amierules status                  what waits
  amierules status --all            finished packets too
  amierules status --status held    what a person must look at
  amierules show 17                 all about one packet
"""

_ALL = (*OPEN_STATUSES, *FINAL_STATUSES)


def status(
    all_: Annotated[bool, typer.Option("--all", "-a", help="Finished packets too.")] = False,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help=f"Only packets of this status: {', '.join(_ALL)}."),
    ] = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """List packets."""
    for given in statuses or ():
        if given not in _ALL:
            close = did_you_mean(given, _ALL)
            hint = f"did you mean '{close}'?" if close else f"possible: {', '.join(_ALL)}"
            raise NotAllowed(Finding("unknown-status", f"there is no status '{printable(given)}'", hint=hint))
    with open_site(config, create=False) as site:
        lines = listing(site, final=all_, statuses=statuses)
        messages = message_counts(site)
    if format is OutputFormat.json:
        say_json({"format_version": 1, "packets": [line.as_json() for line in lines], "messages": messages})
    else:
        _table(lines, statuses, all_)
        _tell_messages(messages)
    return ExitStatus.NEEDS_PERSON if any(line.status in NEED_A_PERSON for line in lines) else ExitStatus.OK


def _table(lines: list[Line], statuses: list[str] | None, final: bool) -> None:
    if not lines and (statuses or final):
        tell(f"no packet is {' or '.join(statuses)}" if statuses else "there are no packets")
        return
    if not lines:
        tell("no packets wait")
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
    needing = sum(1 for line in lines if line.status in NEED_A_PERSON)
    if needing:
        verb = "needs" if needing == 1 else "need"
        tell(f"{needing} {verb} a person: `amierules show ID`, then approve, retry, fail or complete")
    doubtful = [line.packet_rec_id for line in lines if line.status == "in_doubt"]
    if doubtful:
        verb = "is" if len(doubtful) == 1 else "are"
        one = str(doubtful[0]) if len(doubtful) == 1 else "ID"
        tell(f"{len(doubtful)} {verb} in doubt: `amierules show {one}` names the step, then {settled_by(one, 'PATH')}")


def _tell_messages(counts: Mapping[str, int]) -> None:
    """One line on the messages that are not sent; nothing where all are."""
    told = [f"{number} {state}" for state, number in counts.items() if number]
    if told:
        tell(f"messages: {', '.join(told)}; `amierules show ID` lists those of a packet")


def _id(line: Line) -> str:
    if line.packet_rec_id is not None:
        return str(line.packet_rec_id)
    return f"r:{line.remote_packet_rec_id}" if line.remote_packet_rec_id is not None else "-"
