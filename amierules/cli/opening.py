"""Opening a site for a command: configuration, rulebook, database; what is wrong with them is shown."""

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from amierules.actions.own_kinds import own_kinds
from amierules.actions.schemas import kind_schemas
from amierules.actions.table import all_kinds
from amierules.cli.console import tell_findings
from amierules.database import packets, work
from amierules.database.connection import Database
from amierules.database.kept import KeptPacket, find_kept, is_closed
from amierules.database.own_tables import FINAL_STATUSES
from amierules.diagnostics import Finding, Invalid, NotAllowed, Severity, printable
from amierules.engine.directories import directory_of
from amierules.engine.reloading import Loaded
from amierules.engine.site import Site
from amierules.ports import LocalProcesses, Nodes, NoNodes, SystemClock, World
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment


def configuration_of(path: Path | None) -> Configuration:
    """The configuration; its warnings are shown. Raises `Invalid` where it cannot be used."""
    configuration, findings = load_configuration(path, os.environ)
    if configuration is None:
        raise Invalid(findings)
    tell_findings(findings)
    return configuration


def rulebook_of(configuration: Configuration) -> tuple[Rulebook, list[Finding]]:
    """The rulebook and all that is wrong with it and its kinds; what is broken parks only its own packets."""
    rulebook, findings = load_rulebook(configuration.rules, kind_schemas(), Environment(), configuration)
    return rulebook, [*own_kinds().findings, *findings]


def reread(path: Path | None) -> Loaded:
    """The configuration and the rulebook as their files are now, and what is wrong with them."""
    configuration, findings = load_configuration(path, os.environ)
    if configuration is None:
        return None, None, findings
    rulebook, wrong = rulebook_of(configuration)
    return configuration, rulebook, [*findings, *wrong]


def who() -> str:
    """The person at the keyboard, for the events."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def open_site(
    path: Path | None,
    *,
    create: bool,
    acting: str | None = None,
    nodes: Nodes | None = None,
    errors: list[Finding] | None = None,
) -> Iterator[Site]:
    """The site, for a command that looks at packets or works on them. Broken rule files are shown and left out.

    `create` makes a missing SQLite file; `nodes` are what reaches other nodes, where that is wanted; `errors` gets what
    is wrong with the rules. Raises `Invalid` and `Unavailable`.
    """
    configuration = configuration_of(path)
    rulebook, findings = rulebook_of(configuration)
    wrong = [finding for finding in findings if finding.severity is Severity.ERROR]
    tell_findings(wrong)
    if errors is not None:
        errors.extend(wrong)
    with Database.open(configuration.database, create=create) as database:
        yield Site(
            configuration=configuration,
            rulebook=rulebook,
            database=database,
            world=World(
                LocalProcesses(),
                SystemClock(),
                directory_of(configuration),
                (nodes or NoNodes()).under(configuration.ssh),
            ),
            kinds=all_kinds(),
            schemas=kind_schemas(),
            who=acting or who(),
        )


def worker_name() -> str:
    """What the events call a run."""
    return f"run@{socket.gethostname()}"


_SENT = "nothing is decided about it: `amierules show ID` lists the packets of its transaction"


def only_off_the_list(kept: KeptPacket) -> Finding:
    """What is said of a packet of an unknown type where a person wants something of it."""
    shown = f"r:{kept.remote_packet_rec_id}"
    if is_closed(kept):
        return Finding("not-allowed", f"packet {shown} is of an unknown type, and off the list already")
    hint = f"it can only be taken off the list: `amierules complete {shown}`"
    return Finding("not-allowed", f"packet {shown} is of an unknown type", hint=hint)


def _removed(site: Site, numbers: Mapping[str, int | None]) -> dict[str, int]:
    """The local ids of packets that another program has removed while they were open here."""
    found = {}
    with site.database.read() as connection:
        for text, number in numbers.items():
            if number is None and text.isascii() and text.isdecimal() and len(text) < 19:
                number = int(text)
            item = work.get(connection, number) if number is not None else None
            if item is not None and item.status not in FINAL_STATUSES:
                found[text] = item.packet_rec_id
    return found


def _only_complete(packet_rec_id: int) -> Finding:
    hint = f"`amierules complete {packet_rec_id}` takes it off the list"
    return Finding("no-such-packet", f"packet {packet_rec_id} is no longer in AMIE's tables", hint=hint)


def packet_ids(site: Site, given: list[str], *, incoming: bool = True, gone: bool = False) -> list[int]:
    """The local ids of the packets that a person named; `gone`: also of those that only our own tables have by now.

    Raises `NotAllowed` for one that is not there, and where `incoming` ones are wanted for one that is ours.
    """
    with site.database.read() as connection:
        found = {text: packets.resolve_id(connection, text) for text in given}
        stored = packets.read_packets(connection, [one for one in found.values() if one is not None], site.name)
    removed = _removed(site, {text: one for text, one in found.items() if one is None or one not in stored})
    if removed and not gone:
        raise NotAllowed([_only_complete(number) for number in removed.values()])
    found |= removed
    missing = [text for text, packet_rec_id in found.items() if packet_rec_id is None]
    with site.database.read() as connection:
        kept = [one for text in missing if (one := find_kept(connection, text)) is not None]
    if incoming:
        ours = [number for number, one in stored.items() if one.packet.header.outgoing]
        if ours:
            messages = [f"packet {number} is one that we sent" for number in ours]
            raise NotAllowed([Finding("outgoing-packet", message, hint=_SENT) for message in messages])
    if kept:
        raise NotAllowed([only_off_the_list(one) for one in kept])
    if missing:
        hint = "`amierules status --all` lists the packets; r:ID means the remote packet_rec_id"
        messages = [f"there is no packet {printable(text)}" for text in missing]
        raise NotAllowed([Finding("no-such-packet", message, hint=hint) for message in messages])
    return [packet_rec_id for packet_rec_id in found.values() if packet_rec_id is not None]
