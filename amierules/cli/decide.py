"""`amierules approve | retry | hold | fail | complete`: what a person decides about packets."""

import json
from collections.abc import Callable
from typing import Annotated

import typer

from amierules.cli.console import say, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.opening import open_site, packet_ids, who
from amierules.cli.options import ConfigOption, IdsArgument, ReasonOption
from amierules.database.work import OPEN_STATUSES
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, NotAllowed, first_that_applies, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.deciding import Resolution, Word, close_unknown, decide, settle_doubt
from amierules.engine.overview import listing
from amierules.engine.running import Runner
from amierules.engine.site import Site

_HELP = {
    "approve": """Approve packets that a rule holds: the rule is passed over for them from then on.

\b
  amierules approve 17 --reason "asked the PI"
""",
    "retry": """Try packets again that were parked or held, once the cause is mended.

\b
  amierules retry 17
  amierules retry --all --status parked
""",
    "hold": """Keep packets from being processed until somebody says `retry`.

\b
  amierules hold 17 --reason "asking the PI first"
""",
    "fail": """Refuse packets: the other side gets StatusCode Failure, with the reason as message.

\b
  amierules fail 17 --reason "no such project here"
""",
    "complete": """End packets that were dealt with by hand. Where the other side waits for the transaction's end only,
it is told Success; a packet that needs another reply is not touched.

\b
  amierules complete 17 --reason "merged by hand"
""",
}


_RESOLVE = """Settle a step that is in doubt: a crash came between its effect and its record,
and nobody can tell by looking.

\b
  amierules resolve 17 "user/add user" --done --reason "the account is there"
  amierules resolve 17 "user/add user" --redo
"""


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, text in _HELP.items():
        app.command(name, help=text)(command(_command(name)))
    app.command(help=_RESOLVE)(command(resolve))


def resolve(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The packet that is in doubt.")],
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step's path, as `amierules show ID` lists it.")],
    done: Annotated[bool, typer.Option("--done", help="It was done; it is not done again.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="It was not done; do it.")] = False,
    result: Annotated[
        str | None, typer.Option("--result", metavar="JSON", help="With --done: what `register` gets, as JSON.")
    ] = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Settle a step of which nobody knows whether it was done."""
    if done == redo or (result is not None and not done):
        raise NotAllowed(Finding("usage", "say either --done (with --result if you wish) or --redo"))
    with open_site(config, create=True) as site:
        packet_rec_id = packet_ids(site, [id_])[0]
        status = settle_doubt(site, packet_rec_id, step, Resolution(done, _json(result), reason, who()))
    say(f"packet {packet_rec_id} is {status}")
    return ExitStatus.OK


def _json(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise NotAllowed(Finding("usage", f"--result is no JSON: {printable(error)}")) from error


def _command(name: str) -> Callable[..., ExitStatus]:
    def decision(
        ids: IdsArgument = None,
        reason: ReasonOption = "",
        all_: Annotated[bool, typer.Option("--all", help="All packets of a status; needs --status.")] = False,
        status: Annotated[
            str | None, typer.Option("--status", "-s", metavar="STATUS", help="With --all: of this status.")
        ] = None,
        config: ConfigOption = None,
    ) -> ExitStatus:
        _check_usage(ids, all_, status)
        with open_site(config, create=True) as site:
            # A packet that has just come may be decided about before any run has seen it.
            Runner(site).take_in()
            word = Word(name, reason, who())
            kept = [one for one in ids or [] if name == "complete" and close_unknown(site, one, word)]
            for one in kept:
                say(f"packet {one} is off the list")
            named = [one for one in ids or [] if one not in kept]
            chosen = packet_ids(site, named) if ids else _of_status(site, status or "", word)
            return first_that_applies([_decide(site, one, word) for one in chosen])

    return decision


def _check_usage(ids: list[str] | None, all_: bool, status: str | None) -> None:
    if ids and (all_ or status is not None):
        what = "--all" if all_ else "--status"
        raise NotAllowed(Finding("usage", f"packets are named, so {what} has no place here: give one or the other"))
    if not ids and not (all_ and status is not None):
        raise NotAllowed(Finding("usage", "name packets, or give both --all and --status STATUS"))
    if status is not None and status not in OPEN_STATUSES:
        close = did_you_mean(status, OPEN_STATUSES)
        hint = f"did you mean '{close}'?" if close else f"possible: {', '.join(OPEN_STATUSES)}"
        raise NotAllowed(
            Finding("unknown-status", f"no packet can be decided about in status '{printable(status)}'", hint=hint)
        )


def _of_status(site: Site, status: str, word: Word) -> list[int]:
    lines = listing(site, statuses=[status])
    if not lines:
        tell(f"no packet is {status}")
    for kept in (f"r:{line.remote_packet_rec_id}" for line in lines if line.packet_rec_id is None):
        if word.decision != "complete":
            tell(
                f"packet {kept} is of an unknown type: it can only be taken off the list (`amierules complete {kept}`)"
            )
        elif close_unknown(site, kept, word):
            say(f"packet {kept} is off the list")
    return [line.packet_rec_id for line in lines if line.packet_rec_id is not None]


def _decide(site: Site, packet_rec_id: int, word: Word) -> ExitStatus:
    try:
        status = decide(site, packet_rec_id, word)
    except AmierulesError as error:
        tell_findings(error.findings)
        return error.status
    say(f"packet {packet_rec_id} is {status}")
    return ExitStatus.OK
