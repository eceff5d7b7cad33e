"""`amierules exchange`: packets from and to the REST API of the other side."""

from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, row_width, say, say_json, shortened, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.exchanging import Ending, end_exchange, results_json, run_exchanger, statuses
from amierules.cli.opening import open_site, who, worker_name
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat, ReasonOption
from amierules.cli.signals import drained_by_signals
from amierules.database import exchange_marks, posts
from amierules.database.posts import DROPPED, REFUSED, SENDING, WAITING, ToPost
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, first_that_applies, printable
from amierules.engine.site import Site
from amierules.engine.watching import Watcher
from amierules.exchange.alone import Alone
from amierules.exchange.deciding import decide


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help=_HELP, invoke_without_command=True, rich_markup_mode="rich")
    group.callback(help=_HELP)(exchange)
    group.command("list", help=_LIST)(command(list_))
    group.command("resend", help=_RESEND)(command(resend))
    group.command("drop", help=_DROP)(command(drop))
    app.add_typer(group, name="exchange")


_HELP = """Exchange packets with the REST API of the other side: fetch what is new, send what waits. None is processed.

The server and the API key stand under `exchange` in amierules.yaml; `amierules doctor` tries them. What cannot be sent
waits in the database, and is sent once, however often this is interrupted. Ends with 5 where a server could not be
used, with 3 where a packet was refused or cannot be read.

\b
  amierules exchange               once
  amierules run --exchange         once: fetch, process, send
  amierules run --exchange --watch for ever: what a service does
  amierules exchange --watch       for ever, beside a `run` on PostgreSQL
  amierules exchange --full        ask for all packets in progress
  amierules exchange list          what waits, what was refused, and why
"""

_LIST = """List what the other side has yet to get, what it has refused, and what it lists that cannot be read.

waiting: it is sent by the next exchange. sending: nobody knows whether it was taken; that is looked up first.
refused: the server does not take it; `resend` tries again once the cause is mended, `drop` lets it be.

\b
  amierules exchange list
  amierules exchange list --format json
"""

_RESEND = """Send packets once more that the other side has refused, or that were dropped: the next exchange does it.

\b
  amierules exchange resend 17
  amierules exchange resend 17 18 --reason "mended by central"
"""

_DROP = """Do not send packets any more: the other side does not want them, or has been told otherwise.

\b
  amierules exchange drop 17 --reason "entered by hand at the other side"
"""

_Numbers = Annotated[list[int], typer.Argument(metavar="ID...", help="Packets, as `exchange list` numbers them.")]
_STYLES = {WAITING: "wait", SENDING: "wait", REFUSED: "bad", "unreadable": "bad"}


def exchange(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on: exchange what comes, until SIGTERM.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Ask for all packets that are in progress.")] = False,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> None:
    """Exchange packets, where no other command is named."""
    if context.invoked_subcommand is not None:
        if watch or full or format is not OutputFormat.text or config is not None:
            hint = f"write the options behind `{context.invoked_subcommand}`"
            command(_refuse)(Finding("usage", "these options belong to `amierules exchange` alone", hint=hint))
        return
    command(_exchange)(watch=watch, full=full, config=config, format=format)


def _refuse(finding: Finding) -> ExitStatus:
    raise NotAllowed(finding)


def _exchange(*, watch: bool, full: bool, config: Path | None, format: OutputFormat) -> ExitStatus:
    if watch and (full or format is not OutputFormat.text):
        raise NotAllowed(Finding("usage", "--watch goes on for ever: leave out --full and --format"))
    with open_site(config, create=True, acting=worker_name().replace("run@", "exchange@")) as site:
        return _watch(site) if watch else _once(site, full, format)


def _once(site: Site, full: bool, format: OutputFormat) -> ExitStatus:
    ending = Ending()
    exchanger = run_exchanger(site, ending, watch=False)
    alone = Alone(site)
    with alone.opened(), exchanger.opened(), site.database.kept(), drained_by_signals(ending.end) as signals:
        exchanger.fetch(full=full)
        exchanger.post()
    found = exchanger.results
    if format is OutputFormat.json:
        say_json({"format_version": 1, "servers": [results_json(one) for one in found]})
        ended = [status for one in found for status in statuses(one)]
    else:
        ended = end_exchange(exchanger)
    if signals.interrupted:
        return ExitStatus.INTERRUPTED
    return first_that_applies(ended)


def _watch(site: Site) -> ExitStatus:
    ending = Ending()
    exchanger = run_exchanger(site, ending, watch=True)
    watcher = Watcher(Alone(site), lambda: None, tell, beside=exchanger.opened)

    def drain() -> None:
        ending.end()
        watcher.drain()

    with drained_by_signals(drain) as signals:
        watcher.watch()
    return ExitStatus.INTERRUPTED if signals.interrupted else ExitStatus.OK


def list_(config: ConfigOption = None, format: FormatOption = OutputFormat.text) -> ExitStatus:
    """List what waits and what was refused."""
    with open_site(config, create=False) as site, site.database.read() as connection:
        sites = [name for server in site.configuration.exchange for name in server.remote_site_names]
        waiting = posts.to_post(connection, sites)
        refused = [one for one in posts.listing(connection, [REFUSED]) if one.what != posts.ACKNOWLEDGEMENT]
        unreadable = exchange_marks.unreadable_packets(connection)
    found = sorted([*waiting, *refused], key=lambda one: one.packet_rec_id)
    if format is OutputFormat.json:
        listed = [_as_json(one) for one in found]
        named = [
            {"site": one.remote_site_name, "key": one.key, "code": one.code, "reason": one.reason} for one in unreadable
        ]
        say_json({"format_version": 1, "packets": listed, "unreadable": named})
    else:
        for one in found:
            reason = f": {printable(one.reason, 500)}" if one.reason else ""
            _row(
                str(one.packet_rec_id), one.state or WAITING, f"{one.type} to {printable(one.remote_site_name)}{reason}"
            )
        for other in unreadable:
            _row(
                "-",
                "unreadable",
                f"packet {printable(other.key)} of {printable(other.remote_site_name)} {other.reason}",
            )
        if not found and not unreadable:
            tell("nothing waits to be sent, and nothing was refused")
    return ExitStatus.NEEDS_PERSON if refused or unreadable else ExitStatus.OK


def _row(number: str, state: str, text: str) -> None:
    width = row_width()
    head = f"{number:>6}  "
    say(head + paint(f"{state:<10}", _STYLES[state]) + "  " + (shortened(text, width - 20) if width else text))


def _as_json(one: ToPost) -> dict[str, object]:
    return {
        "packet_rec_id": one.packet_rec_id,
        "type": one.type,
        "what": one.what,
        "site": one.remote_site_name,
        "state": one.state or WAITING,
        "attempts": one.attempts,
        "reason": one.reason,
        "next_attempt_at": one.next_attempt_at.isoformat() if one.next_attempt_at else None,
    }


def resend(numbers: _Numbers, reason: ReasonOption = "", config: ConfigOption = None) -> ExitStatus:
    """Send packets again."""
    return _decide(numbers, WAITING, reason, config, "is sent by the next exchange")


def drop(numbers: _Numbers, reason: ReasonOption = "", config: ConfigOption = None) -> ExitStatus:
    """Let packets be."""
    return _decide(numbers, DROPPED, reason, config, "is not sent any more")


def _decide(numbers: list[int], state: str, reason: str, config: Path | None, said: str) -> ExitStatus:
    found = []
    with open_site(config, create=False) as site:
        for number in numbers:
            refused = decide(site, number, state, reason, who())
            if refused is None:
                say(f"packet {number} {said}")
                found.append(ExitStatus.OK)
            else:
                tell_findings([refused])
                found.append(ExitStatus.USAGE)
    return first_that_applies(found)
