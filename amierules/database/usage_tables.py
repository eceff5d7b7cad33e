"""The ledger of usage: one row a job (or storage measurement, or adjustment), and what became of it at each remote.

Moments are whole seconds since 1970 (UTC), charges whole millionths of a unit: both are summed exactly, and alike, by
either database.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from amierules.database.own_tables import metadata

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

usage = Table(
    "amierules_usage",
    metadata,
    Column("usage_id", _NUMBER, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("cluster", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("submitted", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("elapsed", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("partition", Text, nullable=False),
    Column("qos", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("nodes", BigInteger, nullable=False),
    Column("cpus", BigInteger, nullable=False),
    Column("time_limit", BigInteger),
    Column("tres", Text, nullable=False),
    Column("array_id", Text, nullable=False),
    Column("exit_code", Text, nullable=False),
    Column("more", Text),
    Column("rule", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("charge", BigInteger, nullable=False),
    Column("fields", Text),
    Column("collected_at", BigInteger, nullable=False),
    UniqueConstraint("cluster", "job_id", "submitted", name="amierules_usage_once"),
)
# A record that has no row here for a remote is unsent there.
usage_report = Table(
    "amierules_usage_report",
    metadata,
    Column("remote", Text, nullable=False),
    Column("usage_id", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("charge", BigInteger, nullable=False),
    Column("batch_id", BigInteger),
    Column("packet_rec_id", Integer),
    Column("remote_id", Text),
    Column("reason", Text),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("remote", "usage_id"),
    Index("amierules_usage_report_batch", "batch_id"),
    Index("amierules_usage_report_state", "remote", "state", "usage_id"),
)
# What was sent in one request; it is written before the request, so that one whose answer was lost is known.
usage_batch = Table(
    "amierules_usage_batch",
    metadata,
    Column("batch_id", _NUMBER, primary_key=True),
    Column("remote", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("records", Integer, nullable=False),
    Column("reason", Text),
    Column("sent_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
# What could not be taken into the ledger, each with its reason; gone once it has been.
usage_problem = Table(
    "amierules_usage_problem",
    metadata,
    Column("key", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("submitted", BigInteger),
    Column("account", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
# Each collection: its window, and whether all of it was read.
usage_run = Table(
    "amierules_usage_run",
    metadata,
    Column("run_id", _NUMBER, primary_key=True),
    Column("source", Text, nullable=False),
    Column("window_start", BigInteger),
    Column("window_end", BigInteger),
    Column("began_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("counts", Text),
)
