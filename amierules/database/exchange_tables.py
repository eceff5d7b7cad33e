"""Our tables of what is exchanged with remote sites over REST."""

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, text

from amierules.database.own_tables import metadata
from amierules.database.types import Utc

# What `exchange` posts to a remote site: the packets that we sent, and by the incoming packet, acknowledgements.
_IS_UNPOSTED = text("state in ('sending', 'waiting')")
post = Table(
    "amierules_post",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True, autoincrement=False),
    Column("what", String(16), nullable=False),
    Column("remote_site_name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("began_at", Utc),
    Column("next_attempt_at", Utc),
    Column("updated_at", Utc, nullable=False),
    Index("amierules_post_unposted", "packet_rec_id", postgresql_where=_IS_UNPOSTED, sqlite_where=_IS_UNPOSTED),
)
# What a remote site lists as a packet and cannot be read as one.
unreadable = Table(
    "amierules_unreadable",
    metadata,
    Column("remote_site_name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("first_seen_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    PrimaryKeyConstraint("remote_site_name", "key"),
)
# The status of incoming packets that a remote site was told of.
client_state = Table(
    "amierules_client_state",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True, autoincrement=False),
    Column("told", Text, nullable=False),
)
