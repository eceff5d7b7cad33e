"""A file of one's own packets, as steps of a run."""

from typing import Any

from amierules.diagnostics import Finding, Severity
from amierules.protocol.json_form import read_packets
from amierules.tgcdb.rows import CENTRAL


def steps_of_file(data: bytes, file: str, site: str) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The requests in a file of packets in AMIE's JSON form, each to be sent in a new transaction, and what is wrong.

    Only packets that begin a transaction are taken: the others follow from what the site answers.
    """
    packets, findings = read_packets(data, file=file, site_name=site, remote_site_names=[CENTRAL], as_site=None)
    steps: list[dict[str, Any]] = []
    for packet in packets:
        name = packet.header.type
        if not name.startswith("request_"):
            message = f"{name} {packet.header.remote_packet_rec_id or ''} is left out: it begins no transaction"
            findings.append(Finding("not-a-request", message, severity=Severity.NOTE))
            continue
        body = packet.raw["body"] if packet.raw is not None else packet.body
        after = len(steps) - 1 if steps else None
        steps.append({"send": name, "body": dict(body), "after": after, "when": "started", "expect": None})
    return steps, findings
