"""`amierules send`: start a transaction of our own by hand."""

from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import say, tell_findings
from amierules.cli.ending import command
from amierules.cli.load import read_file
from amierules.cli.opening import open_site
from amierules.cli.options import ConfigOption
from amierules.diagnostics import ExitStatus, Finding, Invalid, Place
from amierules.engine.sending import ToSend, fields_of, packet_type, send


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("send", help=_HELP)(command(send_packet))


_HELP = """Start a transaction: write a packet of a type that sites send by themselves, checked like a reply.

What a rule sends, it sends with the action `send_packet`. A list tag is given several times, an object as JSON;
--file has a JSON object of tags, over which --field (-F) counts. - is standard input.

\b
  amierules send notify_user_modify -F ActionType=replace -F PersonID=20001 \\
      -F Email=new@site.example
  amierules send notify_person_ids --file ids.json --reason "asked by phone"
"""


def send_packet(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The packet type.")],
    field: Annotated[
        list[str] | None, typer.Option("--field", "-F", metavar="TAG=VALUE", help="A tag and its value; repeatable.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A JSON object of tags; - is standard input.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="SITE", help="Which site gets it, where there are several.")
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; kept with the packet's events.", show_default=False)
    ] = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Start a transaction; invalid if AMIE would not take the packet."""
    packet_type(type_)
    fields = fields_of(field or [], None if file is None else (str(file), _content(file)))
    with open_site(config, create=True) as site:
        made, remote, notes = send(site, ToSend(type_, fields, to, reason))
    tell_findings(notes)
    say(f"{type_} is packet {made.packet_rec_id} of our transaction {made.transaction_id}, for {remote}")
    return ExitStatus.OK


def _content(file: Path) -> bytes:
    content = read_file(file)
    if isinstance(content, OSError):
        message = f"cannot be read: {content.strerror or content}"
        raise Invalid(Finding("cannot-read", message, Place(str(file))))
    return content
