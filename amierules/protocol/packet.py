"""A packet as a value: its header, always seen from our side, and its body."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from amierules.protocol.catalogue import ExpectedReply

BodyValue = str | list[str] | dict[str, str] | list[dict[str, str]]
"""A tag's value: a text, a list of texts, an object of subtags, or a list of such objects."""

Body = Mapping[str, BodyValue]
"""A packet's content by tag, normalised: no empty values, all scalars as text."""

IN_PROGRESS = "in-progress"

STATES = ("completed", IN_PROGRESS, "failed", "rejected", "on-hold", "x-pending", "killed")
"""The states of packets and transactions, in the order of their ids from 1 (reference database DDL)."""


@dataclass(frozen=True)
class Header:
    """What a packet says about itself. `local_site_name` is our site, `remote_site_name` the other side."""

    type: str
    transaction_id: int
    packet_id: int
    """Unique among one side's packets of the transaction; may be 0."""
    originating_site_name: str
    local_site_name: str
    remote_site_name: str
    timestamp: datetime
    """Aware, in UTC."""
    outgoing: bool
    packet_state: str = IN_PROGRESS
    transaction_state: str = IN_PROGRESS
    packet_rec_id: int | None = None
    """The key of our row, once there is one."""
    trans_rec_id: int | None = None
    """The key of our transaction row, once there is one."""
    remote_packet_rec_id: int | None = None
    """The packet's key at the central database."""
    remote_trans_rec_id: int | None = None
    """The transaction's key at the central database."""
    expected_replies: tuple[ExpectedReply, ...] = ()


@dataclass(frozen=True)
class Packet:
    """A packet; `raw` is the JSON that it came as, where it came as JSON."""

    header: Header
    body: Body
    raw: dict[str, Any] | None = None
