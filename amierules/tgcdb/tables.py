"""The tables of the test central database, in an SQLite file of its own."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, UniqueConstraint

from amierules.database.types import BigNumber, Utc

metadata = MetaData()

meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))
run = Table(
    "run",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("site", String, nullable=False),
    Column("scenario", String, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("resources", JSON, nullable=False),
    Column("started_at", Utc, nullable=False),
    sqlite_autoincrement=True,
)
transaction = Table(
    "central_transaction",
    metadata,
    Column("trans_rec_id", Integer, primary_key=True),
    Column("site", String, nullable=False),
    Column("originating", String, nullable=False),
    Column("transaction_id", BigNumber, nullable=False),
    Column("state", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("run_id", ForeignKey(run.c.run_id)),
    Column("step", Integer),
    Column("expects", String),
    UniqueConstraint("site", "originating", "transaction_id"),
    Index("transaction_run", "run_id", "step"),
    sqlite_autoincrement=True,
)
packet = Table(
    "packet",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True),
    Column("trans_rec_id", ForeignKey(transaction.c.trans_rec_id), nullable=False),
    Column("site", String, nullable=False),
    Column("packet_id", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("to_site", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("ts", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("content", JSON, nullable=False),
    Column("expects", JSON, nullable=False),
    Column("in_reply_to", Integer),
    Column("client_state", String),
    Column("client_json", JSON),
    Column("answered_at", Utc),
    Column("behaviour", JSON, nullable=False),
    Column("relist", Integer, nullable=False),
    Column("local_rec_id", Integer),
    Index("packet_transaction", "trans_rec_id"),
    Index("packet_site_state", "site", "state"),
    sqlite_autoincrement=True,
)
carried = Table(
    "carried",
    metadata,
    Column("site", String, primary_key=True),
    Column("local_rec_id", Integer, primary_key=True),
)
step = Table(
    "step",
    metadata,
    Column("run_id", ForeignKey(run.c.run_id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("after", Integer),
    Column("milestone", String),
    Column("due_at", Utc, nullable=False),
    Column("state", String, nullable=False),
    Index("step_ready", "state", "due_at"),
)
fact = Table(
    "fact",
    metadata,
    Column("site", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", JSON, nullable=False),
)
violation = Table(
    "violation",
    metadata,
    Column("violation_id", Integer, primary_key=True),
    Column("site", String, nullable=False),
    Column("trans_rec_id", Integer),
    Column("packet_rec_id", Integer),
    Column("rule", String, nullable=False),
    Column("message", String, nullable=False),
    Column("at", Utc, nullable=False),
    sqlite_autoincrement=True,
)
