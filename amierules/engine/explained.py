"""Everything that `explain ID` tells of one packet: the rules considered, the plan, the journal."""

from dataclasses import dataclass

from amierules.database.kept import KeptPacket
from amierules.database.own_tables import FINAL_STATUSES
from amierules.engine.considered import Consideration, consider
from amierules.engine.decision import PacketReport
from amierules.engine.overview import Details, details, kept_details
from amierules.engine.planning import Planner
from amierules.engine.site import Site


@dataclass(frozen=True)
class Explained:
    """A packet. `plan` is None where a run would do nothing more with it."""

    details: Details
    consideration: Consideration
    plan: PacketReport | None


def explained(site: Site, packet_rec_id: int) -> Explained:
    """An incoming packet of the database; nothing is changed."""
    found = details(site, packet_rec_id)
    status = found.item.status if found.item else "ready"
    reports = [] if status in FINAL_STATUSES else list(Planner(site).waiting([packet_rec_id]))
    return Explained(found, consider(site, packet_rec_id), reports[0] if reports else None)


def kept_explained(site: Site, text: str) -> KeptPacket | None:
    """The packet of an unknown type that `r:N` names: no rule can be for it; None where there is none."""
    return kept_details(site, text)
