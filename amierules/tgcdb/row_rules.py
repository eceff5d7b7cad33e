"""Judging the form of the rows that a site writes into AMIE's tables."""

from collections.abc import Iterator

from amierules.database.amie_tables import VERSION
from amierules.diagnostics import printable
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS
from amierules.protocol.rows import Row, rows_to_body
from amierules.tgcdb.amie_rows import SitePacket
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import COMPLETE, COMPLETED, FAILED
from amierules.tgcdb.rows import CENTRAL


def judge_rows(packet: SitePacket, site: str) -> Iterator[Violation]:
    """What is wrong with the rows of a packet, whatever it says."""
    if packet.version != VERSION:
        yield Violation("T40", f"version is {printable(packet.version, 10)}, not {VERSION}")
    allowed = (IN_PROGRESS, COMPLETED, FAILED) if packet.type == COMPLETE else (IN_PROGRESS,)
    if packet.state not in allowed:
        yield Violation("T40", f"the packet was written as {packet.state}")
    yield from _expected_replies(packet)
    for problem in rows_to_body(packet.rows)[1]:
        yield Violation("T43", problem.message, problem.tag)
    yield from _gaps(packet.rows)
    if packet.originating == site and (packet.local_site_name, packet.remote_site_name) != (site, CENTRAL):
        yield Violation("T44", f"the transaction is between {packet.local_site_name} and {packet.remote_site_name}")


def _expected_replies(packet: SitePacket) -> Iterator[Violation]:
    type_ = catalogue().types[packet.type]
    wanted, written = {one.type for one in type_.expected_replies}, {one.type for one in packet.replies}
    if missing := wanted - written:
        yield Violation("T41", f"{packet.type} expects {', '.join(sorted(missing))}, which does not stand there")
    if others := written - wanted:
        yield Violation("T41", f"{packet.type} does not expect {', '.join(sorted(others))}")
    if any(one.timeout is None for one in packet.replies):
        yield Violation("T41", f"an expected reply of {packet.type} has no timeout")


def _gaps(rows: tuple[Row, ...]) -> Iterator[Violation]:
    places: dict[str, set[int]] = {}
    for row in rows:
        places.setdefault(row.tag, set()).add(row.seq)
    for tag, found in places.items():
        if found != set(range(len(found))):
            yield Violation("T43", f"{printable(tag, 40)}: seq is {', '.join(map(str, sorted(found)[:10]))}", tag)
