"""Loading packets from files into the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import DataError, IntegrityError

from amierules.database.incoming import StoredKind, differs_from_stored, store_incoming
from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.engine.site import CrashPoint, Site
from amierules.protocol.json_form import read_packets
from amierules.protocol.packet import Packet


@dataclass
class Loaded:
    """What came of loading: counts, and one finding for each packet that was refused or is worth a note."""

    new: int = 0
    duplicates: int = 0
    kept: int = 0
    findings: list[Finding] = field(default_factory=list)


def packets_of(
    site: Site, files: Sequence[tuple[str, bytes | OSError]], as_site: str | None
) -> tuple[list[tuple[str, Packet]], list[Finding]]:
    """The packets of all files, each with its file's name, in order of remote id, else time stamp; and the findings."""
    found: list[tuple[str, Packet]] = []
    findings: list[Finding] = []
    configuration = site.configuration
    for name, content in files:
        if isinstance(content, OSError):
            findings.append(Finding("cannot-read", f"cannot be read: {content.strerror or content}", Place(name)))
            continue
        taken, refused = read_packets(
            content,
            file=name,
            site_name=configuration.site_name,
            remote_site_names=configuration.remote_site_names,
            as_site=as_site,
            now=site.world.clock.now(),
        )
        found += [(name, packet) for packet in taken]
        findings += refused
    return sorted(found, key=lambda one: _order(one[1])), findings


def _order(packet: Packet) -> tuple[bool, int, object]:
    remote = packet.header.remote_packet_rec_id
    return remote is None, remote or 0, packet.header.timestamp


def load_files(
    site: Site,
    files: Sequence[tuple[str, bytes | OSError]],
    as_site: str | None = None,
    crash_point: CrashPoint = lambda name: None,
) -> Loaded:
    """Store the packets of these files, each in a transaction of its own. Raises `Unavailable`."""
    found, findings = packets_of(site, files, as_site)
    loaded = Loaded(findings=findings)
    with site.database.kept():
        for name, packet in found:
            _store(site, name, packet, loaded, crash_point)
            crash_point("after load")
    return loaded


def _store(site: Site, name: str, packet: Packet, loaded: Loaded, crash_point: CrashPoint) -> None:
    header = packet.header
    label = f"packet {header.remote_packet_rec_id or f'{header.type} of transaction {header.transaction_id}'}"
    try:
        with site.database.begin() as connection:
            stored = store_incoming(connection, packet, site.world.clock.now())
            there = stored.packet_rec_id if stored.kind is StoredKind.DUPLICATE else None
            differs = there is not None and differs_from_stored(connection, there, packet)
            crash_point("in load")
    except (IntegrityError, DataError, ValueError) as error:
        said = printable(str(getattr(error, "orig", None) or error).strip().partition("\n")[0])
        loaded.findings.append(
            Finding("refused-by-database", f"{label} is refused by the database: {said}", Place(name))
        )
        return
    if stored.kind is StoredKind.NEW:
        loaded.new += 1
    elif stored.kind is StoredKind.RESENT:
        loaded.new += 1
        message = f"{label} takes the place of packet {stored.packet_rec_id}, which had failed"
        loaded.findings.append(Finding("duplicate-packet", message, Place(name), severity=Severity.NOTE))
    elif stored.kind is StoredKind.KEPT:
        loaded.kept += 1
        message = f"{label} has the unknown type {printable(packet.header.type, 60)}: it is kept, parked"
        loaded.findings.append(Finding("unknown-type", message, Place(name), severity=Severity.WARNING))
    else:
        loaded.duplicates += 1
        message = f"{label} is there already" + (f" as packet {stored.packet_rec_id}" if stored.packet_rec_id else "")
        if differs:
            message += "; the stored one differs, and is kept"
        severity = Severity.WARNING if differs else Severity.NOTE
        loaded.findings.append(Finding("duplicate-packet", message, Place(name), severity=severity))
