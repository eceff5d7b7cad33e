"""Our tables, `amierules_*`: no foreign keys to AMIE's, whose rows the legacy program may delete."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from amierules.database.types import BigNumber, Units, Utc

FINAL_STATUSES = ("done", "ignored", "failed")
_IS_OPEN = text("status not in ('done', 'ignored', 'failed')")
_WAITS = text("status = 'waiting'")
_IS_UNNAMED = text("remote_packet_rec_id is null")

CHANNEL = "amierules_work"
"""The channel on which PostgreSQL tells workers that there is something to do."""

metadata = MetaData()

migration = Table(
    "amierules_migration",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", Utc, nullable=False),
)
meta = Table("amierules_meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

# What came with a packet and has no column in AMIE's tables.
packet = Table(
    "amierules_packet",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True, autoincrement=False),
    Column("remote_packet_rec_id", BigInteger),
    Column("remote_trans_rec_id", BigInteger),
    Column("remote_site_name", Text),
    Column("in_reply_to", Integer, index=True),
    Column("raw", Text),
    Column("stored_at", Utc, nullable=False),
    UniqueConstraint("remote_site_name", "remote_packet_rec_id"),
    Index("amierules_packet_unnamed", "packet_rec_id", postgresql_where=_IS_UNNAMED, sqlite_where=_IS_UNNAMED),
    Index("amierules_packet_remote_trans", "remote_trans_rec_id"),
)
# Packets of a type that AMIE's type_des does not know: kept whole, for a person.
kept_packet = Table(
    "amierules_kept_packet",
    metadata,
    Column("kept_id", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("originating_site_name", Text, nullable=False),
    Column("remote_site_name", Text, nullable=False),
    Column("transaction_id", BigNumber, nullable=False),
    Column("packet_id", BigNumber, nullable=False),
    Column("remote_packet_rec_id", BigInteger),
    Column("raw", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("kept_at", Utc, nullable=False),
    UniqueConstraint("originating_site_name", "remote_site_name", "transaction_id", "packet_id"),
)

# One row for each incoming packet: what is to be done with it.
work = Table(
    "amierules_work",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True, autoincrement=False),
    Column("trans_rec_id", Integer, nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("ts", Utc, nullable=False),
    Column("status", String(16), nullable=False),
    Column("rule", Text),
    Column("reason", Text),
    Column("blocker", Integer),
    Column("approvable", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", Utc),
    Column("first_deferred_at", Utc),
    Column("begun", Boolean, nullable=False, default=False),
    Column("fence", Integer, nullable=False, server_default=text("0")),
    Column("pinned", JSON(none_as_null=True)),
    Column("grant_number", Text, index=True),
    Column("resource", Text),
    Column("record_id", Text, index=True),
    Column("taken_in_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("paused_by", Text),
    Column("asked", JSON(none_as_null=True)),
    Index("amierules_work_open", "ts", "packet_rec_id", postgresql_where=_IS_OPEN, sqlite_where=_IS_OPEN),
    Index("amierules_work_blocker", "blocker", postgresql_where=_WAITS, sqlite_where=_WAITS),
)
# Back ends that are away, and those and the resources that a person has paused.
pause = Table(
    "amierules_pause",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", Utc, nullable=False),
    Column("reason", Text, nullable=False),
    Column("until", Utc),
    Column("who", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("prober", Integer),
)
# What a packet must have to itself while it runs: its transaction, its grant, its person.
work_key = Table(
    "amierules_work_key",
    metadata,
    Column("packet_rec_id", Integer, nullable=False),
    Column("key", Text, nullable=False),
    PrimaryKeyConstraint("packet_rec_id", "key"),
    Index("amierules_work_key_by_key", "key"),
)
approval = Table(
    "amierules_approval",
    metadata,
    Column("packet_rec_id", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approved_at", Utc, nullable=False),
    Column("answers", JSON(none_as_null=True)),
    PrimaryKeyConstraint("packet_rec_id", "rule"),
)
step = Table(
    "amierules_step",
    metadata,
    Column("packet_rec_id", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("source_digest", Text, nullable=False),
    Column("input_digest", Text, nullable=False),
    Column("changes", JSON(none_as_null=True)),
    Column("staged", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("reason", Text),
    Column("fence", Integer, nullable=False),
    Column("host", Text),
    Column("pid", Integer),
    Column("started_at", Utc, nullable=False),
    Column("finished_at", Utc),
    Column("given", JSON(none_as_null=True)),
    Column("place", Text),
    Column("mark", Text),
    Column("deadline", Utc),
    PrimaryKeyConstraint("packet_rec_id", "path"),
)
event = Table(
    "amierules_event",
    metadata,
    Column("event_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("packet_rec_id", Integer, index=True),
    Column("at", Utc, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("why", Text, nullable=False),
)
# Messages about packets: queued with the commit of what they tell of, sent after it, at most once each.
_IS_UNSENT = text("state in ('queued', 'sending')")
outbox = Table(
    "amierules_outbox",
    metadata,
    Column("message_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("packet_rec_id", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("position", Text, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("content", JSON(none_as_null=True)),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("reason", Text),
    Column("next_attempt_at", Utc),
    Column("sender", Text),
    Column("queued_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    UniqueConstraint("packet_rec_id", "source", "rule", "outcome", "position"),
    Index("amierules_outbox_unsent", "message_id", postgresql_where=_IS_UNSENT, sqlite_where=_IS_UNSENT),
)

# What we would have done with packets that another program answers, and how its answers differ.
observed = Table(
    "amierules_observed",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("observed_at", Utc, nullable=False),
    Column("rule", Text),
    Column("plan", JSON(none_as_null=True), nullable=False),
    Column("answered_by", Integer),
    Column("differences", JSON(none_as_null=True)),
)

# The registry: who and what this site has. `key` is ours alone and never changes; every other id may.
person = Table(
    "amierules_person",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("person_id", Text, unique=True),
    Column("global_id", Text, unique=True),
    Column("uid", BigInteger, unique=True),
    Column("state", String(16), nullable=False),
    Column("data", JSON, nullable=False),
)
person_alias = Table(
    "amierules_person_alias",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("person", String(32), ForeignKey(person.c.key), nullable=False, index=True),
)
person_former_global = Table(
    "amierules_person_former_global",
    metadata,
    Column("global_id", Text, primary_key=True),
    Column("person", String(32), ForeignKey(person.c.key), nullable=False, index=True),
)
"""GlobalIDs of persons who were merged into others; `data` has them, too, and this finds them."""
person_login = Table(
    "amierules_person_login",
    metadata,
    Column("login", Text, primary_key=True),
    Column("person", String(32), ForeignKey(person.c.key), nullable=False, index=True),
    Column("position", Integer, nullable=False),
)
person_dn = Table(
    "amierules_person_dn",
    metadata,
    Column("person", String(32), ForeignKey(person.c.key), nullable=False),
    Column("dn", Text, nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("person", "dn"),
)
project = Table(
    "amierules_project",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("project_id", Text, unique=True),
    Column("grant_number", Text, unique=True),
    Column("group", Text, unique=True),
    Column("gid", BigInteger, unique=True),
    Column("title", Text),
    Column("pi", String(32), ForeignKey(person.c.key)),
    Column("data", JSON, nullable=False),
)
project_resource = Table(
    "amierules_project_resource",
    metadata,
    Column("project", String(32), ForeignKey(project.c.key), nullable=False),
    Column("resource", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("brought_by", Integer),
    PrimaryKeyConstraint("project", "resource"),
)
allocation = Table(
    "amierules_allocation",
    metadata,
    Column("project", String(32), ForeignKey(project.c.key), nullable=False),
    Column("resource", Text, nullable=False),
    Column("start", Date, nullable=False),
    Column("end", Date),
    Column("units", Units, nullable=False),
    PrimaryKeyConstraint("project", "resource", "start"),
)
account = Table(
    "amierules_account",
    metadata,
    Column("person", String(32), ForeignKey(person.c.key), nullable=False),
    Column("project", String(32), ForeignKey(project.c.key), nullable=False, index=True),
    Column("resource", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    PrimaryKeyConstraint("person", "project", "resource"),
)
# Ids and logins given out before the registry rows that will hold them are committed.
reservation = Table(
    "amierules_reservation",
    metadata,
    Column("what", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Column("packet_rec_id", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("at", Utc, nullable=False),
    PrimaryKeyConstraint("what", "value"),
    UniqueConstraint("packet_rec_id", "path", "what"),
)
