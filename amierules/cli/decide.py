"""`amierules approve | retry | hold | fail | complete`: what a person decides about packets."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import say, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.opening import open_site, packet_ids, who
from amierules.cli.options import ConfigOption, IdsArgument, ReasonOption
from amierules.database.work import OPEN_STATUSES
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, NotAllowed, first_that_applies, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.deciding import Word, close_unknown, decide
from amierules.engine.doubt import Resolution, settle_doubt
from amierules.engine.overview import Line, listing
from amierules.engine.running import Runner
from amierules.engine.site import Site
from amierules.engine.starting_over import start_over

_HELP = {
    "approve": """Approve packets that a rule holds: the rule is passed over for them from then on.

\b
  amierules approve 17 --reason "asked the PI"
  amierules approve 17 --set quota=500 --set path=/home
""",
    "retry": """Try packets again that were parked or held, once the cause is mended.

What was done already is not done again, and the rule that was chosen stays; --from-start forgets both,
and the answers that `approve --set` gave. Ids and logins that were given out stay, unless the
configuration's `ids` and `logins` do not allow them any more: then new ones are given.

\b
  amierules retry 17
  amierules retry 17 --from-start
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
  amierules resolve 17 quota --done --result '{"rc": 0, "stdout": "500"}'
"""


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    special: dict[str, Callable[..., ExitStatus]] = {"approve": approve, "retry": retry}
    for name, text in _HELP.items():
        app.command(name, help=text)(command(special.get(name) or _command(name)))
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
        packet_rec_id = packet_ids(site, [id_], gone=True)[0]
        status = settle_doubt(site, packet_rec_id, step, Resolution(done, _json(result), reason, who()))
    say(f"packet {packet_rec_id} is {status}")
    return ExitStatus.OK


def _json(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise NotAllowed(Finding("usage", f"--result is no JSON: {printable(error)}")) from error


AllOption = Annotated[bool, typer.Option("--all", help="All packets of a status; needs --status.")]
StatusOption = Annotated[
    str | None, typer.Option("--status", "-s", metavar="STATUS", help="With --all: of this status.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="With --all: do not ask first.")]


@dataclass(frozen=True)
class _Chosen:
    """Which packets a person decides about: named ones, or all of a status."""

    ids: list[str] | None
    all: bool
    status: str | None
    yes: bool


def approve(
    ids: IdsArgument = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What the hold asks for; once for each.", show_default=False),
    ] = None,
    reason: ReasonOption = "",
    all_: AllOption = False,
    status: StatusOption = None,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Pass over the rule that holds packets."""
    word = Word("approve", reason, who(), _answers(set_ or []))
    return _carry_out(_Chosen(ids, all_, status, yes), word, config)


def retry(
    ids: IdsArgument = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Forget what was done; the rules as they are now decide.")
    ] = False,
    reason: ReasonOption = "",
    all_: AllOption = False,
    status: StatusOption = None,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Try packets again."""
    word = Word("retry", reason, who())
    return _carry_out(_Chosen(ids, all_, status, yes), word, config, _start_over if from_start else _decide)


def _command(name: str) -> Callable[..., ExitStatus]:
    """A decision that needs no more than a reason."""

    def decision(
        ids: IdsArgument = None,
        reason: ReasonOption = "",
        all_: AllOption = False,
        status: StatusOption = None,
        yes: YesOption = False,
        config: ConfigOption = None,
    ) -> ExitStatus:
        return _carry_out(_Chosen(ids, all_, status, yes), Word(name, reason, who()), config)

    return decision


def _answers(given: list[str]) -> dict[str, str]:
    """`--set NAME=VALUE`, by name."""
    answers: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise NotAllowed(Finding("usage", f"--set {printable(text, 60)}: it is written --set NAME=VALUE"))
        if name in answers:
            raise NotAllowed(Finding("usage", f"--set gives '{printable(name, 60)}' twice"))
        answers[name] = value
    return answers


def _carry_out(
    chosen: _Chosen, word: Word, config: Path | None, each: Callable[[Site, int, Word], ExitStatus] | None = None
) -> ExitStatus:
    _check_usage(chosen.ids, chosen.all, chosen.status)
    with open_site(config, create=True) as site:
        # A packet that has just come may be decided about before any run has seen it.
        Runner(site).take_in()
        if chosen.ids:
            numbers = _named(site, chosen.ids, word)
        else:
            numbers = _of_status(site, chosen.status or "", word, chosen.yes)
        return first_that_applies([(each or _decide)(site, one, word) for one in numbers])


def _named(site: Site, ids: list[str], word: Word) -> list[int]:
    """The packets of these ids; those of an unknown type are taken off the list."""
    kept = [one for one in ids if word.decision == "complete" and close_unknown(site, one, word)]
    for one in kept:
        say(f"packet {one} is off the list")
    return packet_ids(site, [one for one in ids if one not in kept], gone=True)


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


def _of_status(site: Site, status: str, word: Word, yes: bool) -> list[int]:
    lines = listing(site, statuses=[status])
    if not lines:
        tell(f"no packet is {status}")
    if len(lines) > 1 and not yes and sys.stdin.isatty() and not _confirmed(word.decision, status, lines):
        tell("nothing was decided")
        return []
    for kept in (f"r:{line.remote_packet_rec_id}" for line in lines if line.packet_rec_id is None):
        if word.decision != "complete":
            tell(
                f"packet {kept} is of an unknown type: it can only be taken off the list (`amierules complete {kept}`)"
            )
        elif close_unknown(site, kept, word):
            say(f"packet {kept} is off the list")
    return [line.packet_rec_id for line in lines if line.packet_rec_id is not None]


def _confirmed(decision: str, status: str, lines: list[Line]) -> bool:
    for line in lines:
        number = line.packet_rec_id if line.packet_rec_id is not None else f"r:{line.remote_packet_rec_id}"
        tell(f"  {number}  {line.type}  {printable(line.reason or '', 100)}".rstrip())
    tell(f"{decision} these {len(lines)} packets, which are {status}? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _start_over(site: Site, packet_rec_id: int, word: Word) -> ExitStatus:
    try:
        effects = start_over(site, packet_rec_id, word.reason, word.by)
    except AmierulesError as error:
        tell_findings(error.findings)
        return error.status
    say(f"packet {packet_rec_id} is ready, and starts over")
    for effect in effects:
        say(f"  {printable(effect)}")
    return ExitStatus.OK


def _decide(site: Site, packet_rec_id: int, word: Word) -> ExitStatus:
    try:
        status = decide(site, packet_rec_id, word)
    except AmierulesError as error:
        tell_findings(error.findings)
        return error.status
    say(f"packet {packet_rec_id} is {status}")
    return ExitStatus.OK
