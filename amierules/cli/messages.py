"""`amierules messages`: those of `notify` that were not sent, and what a person decides about them."""

from typing import Annotated

import typer

from amierules.cli.console import paint, row_width, say, say_json, shortened, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.opening import open_site, who
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat, ReasonOption
from amierules.cli.show import message_json, message_text
from amierules.database.outbox import DROPPED, QUEUED, SENDING, STATES
from amierules.database.outbox import UNKNOWN as UNKNOWN_STATE
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, NotAllowed, first_that_applies, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.messages_by_hand import UNSENT, Wish, carry_out, listing
from amierules.engine.site import Site


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode="rich")
    group.command("list", help=_LIST)(command(list_))
    group.command("resend", help=_RESEND)(command(resend))
    group.command("drop", help=_DROP)(command(drop))
    app.add_typer(group, name="messages")


_HELP = """Mails, Slack and webhook messages that `notify` brought and nobody got; send them again, or let them be.

\b
  amierules messages list        what was not sent, and why
  amierules messages resend 3    send it once more
  amierules messages drop 3      it is not wanted any more
"""

_LIST = """List the messages that were not sent, with the reason.

failed: it could not be made, or was not taken. unknown: nobody knows whether it was taken. queued: it is still tried.

\b
  amierules messages list
  amierules messages list --state failed
  amierules messages list --all            those that were sent, too
"""

_RESEND = """Send messages once more that failed, or of which nobody knows whether they arrived: the next run does it.

One whose state is unknown may arrive twice. One that still waits for its next try is tried at once.

\b
  amierules messages resend 3 4
  amierules messages resend --all --state failed --reason "server is back"
"""

_DROP = """Do not send messages any more; `status` counts them no more.

\b
  amierules messages drop 3 --reason "told her on the phone"
  amierules messages drop --all --state unknown
"""

_Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="NUMBER", help="Messages, as `messages list` numbers them.")
]
_AllOption = Annotated[bool, typer.Option("--all", help="All messages of a state; needs --state.")]
_StateOption = Annotated[
    str | None,
    typer.Option("--state", "-s", metavar="STATE", help=f"With --all: of this state ({', '.join(UNSENT)})."),
]
_STYLES = {QUEUED: "wait", SENDING: "wait", "sent": "good", "failed": "bad", UNKNOWN_STATE: "bad"}


def list_(
    states: Annotated[
        list[str] | None,
        typer.Option("--state", "-s", metavar="STATE", help=f"Only those of this state: {', '.join(STATES)}."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Those that were sent or dropped, too.")] = False,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """List messages."""
    wanted = tuple(_checked(one, STATES) for one in states or (STATES if all_ else (*UNSENT, SENDING)))
    with open_site(config, create=False) as site:
        found = listing(site, wanted)
    if format is OutputFormat.json:
        listed = [{"packet_rec_id": one.packet_rec_id, **message_json(one)} for one in found]
        say_json({"format_version": 1, "messages": listed})
        return ExitStatus.OK
    if not found:
        tell("there are no messages" if states or all_ else "no message waits, and none has failed")
    width = row_width()
    for one in found:
        head = f"{one.message_id:>5}  packet {one.packet_rec_id:<5} "
        text = message_text(one)
        state = paint(f"{one.state:<8}", _STYLES.get(one.state, "dim"))
        say(f"{head} {state} {shortened(text, width - len(head) - 10) if width else text}")
    return ExitStatus.OK


def resend(
    numbers: _Numbers = None,
    all_: _AllOption = False,
    state: _StateOption = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Queue messages again."""
    return _carry_out(numbers, all_, state, Wish(QUEUED, reason, who()), config)


def drop(
    numbers: _Numbers = None,
    all_: _AllOption = False,
    state: _StateOption = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Let messages be."""
    return _carry_out(numbers, all_, state, Wish(DROPPED, reason, who()), config)


def _carry_out(
    numbers: list[int] | None, all_: bool, state: str | None, wish: Wish, config: ConfigOption
) -> ExitStatus:
    if bool(numbers) == (all_ or state is not None) or all_ != (state is not None):
        raise NotAllowed(Finding("usage", "name messages, or give both --all and --state STATE"))
    with open_site(config, create=False) as site:
        chosen = numbers or [one.message_id for one in listing(site, (_checked(state or "", UNSENT),))]
        if not chosen:
            tell(f"no message is {state}")
        return first_that_applies([_one(site, number, wish) for number in chosen])


def _one(site: Site, number: int, wish: Wish) -> ExitStatus:
    try:
        before = carry_out(site, number, wish)
    except AmierulesError as error:
        tell_findings(error.findings)
        return error.status
    if wish.state == DROPPED:
        say(f"message {number} is not sent any more")
    else:
        twice = "; it may arrive twice" if before.state == UNKNOWN_STATE else ""
        say(f"message {number} is sent by the next run{twice}")
    return ExitStatus.OK


def _checked(state: str, possible: tuple[str, ...]) -> str:
    if state not in possible:
        close = did_you_mean(state, possible)
        hint = f"did you mean '{close}'?" if close else f"possible: {', '.join(possible)}"
        raise NotAllowed(Finding("unknown-status", f"there is no state '{printable(state)}' here", hint=hint))
    return state
