"""The step that brings the ledger of usage to a database of an older version."""

from collections.abc import Sequence

_TEXTS = ("state", "account", "login", "partition", "qos", "name")
_USAGE = (
    "kind VARCHAR(16) NOT NULL, cluster TEXT NOT NULL, job_id TEXT NOT NULL, submitted BIGINT NOT NULL, "
    "started BIGINT NOT NULL, ended BIGINT NOT NULL, elapsed BIGINT NOT NULL, "
    + "".join(f"{name} TEXT NOT NULL, " for name in _TEXTS)
    + "nodes BIGINT NOT NULL, cpus BIGINT NOT NULL, time_limit BIGINT, tres TEXT NOT NULL, array_id TEXT NOT NULL, "
    "exit_code TEXT NOT NULL, more TEXT, rule TEXT NOT NULL, project_id TEXT NOT NULL, resource TEXT NOT NULL, "
    "username TEXT NOT NULL, charge BIGINT NOT NULL, fields TEXT, collected_at BIGINT NOT NULL"
)
_REPORT = (
    "remote TEXT NOT NULL, usage_id BIGINT NOT NULL, state VARCHAR(16) NOT NULL, charge BIGINT NOT NULL, "
    "batch_id BIGINT, packet_rec_id INTEGER, remote_id TEXT, reason TEXT, updated_at BIGINT NOT NULL, "
    "PRIMARY KEY (remote, usage_id)"
)
_BATCH = (
    "remote TEXT NOT NULL, state VARCHAR(16) NOT NULL, records INTEGER NOT NULL, reason TEXT, "
    "sent_at BIGINT NOT NULL, updated_at BIGINT NOT NULL"
)
_PROBLEM = (
    "key TEXT NOT NULL, source TEXT NOT NULL, place TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, "
    "line TEXT NOT NULL, cluster TEXT NOT NULL, job_id TEXT NOT NULL, submitted BIGINT, account TEXT NOT NULL, "
    "seen_at BIGINT NOT NULL, PRIMARY KEY (key)"
)
_RUN = (
    "source TEXT NOT NULL, window_start BIGINT, window_end BIGINT, began_at BIGINT NOT NULL, finished_at BIGINT, "
    "counts TEXT"
)


def usage_ledger(dialect_name: str) -> Sequence[str]:
    """What jobs have used, and what became of each record at each remote."""
    number = "BIGSERIAL" if dialect_name == "postgresql" else "INTEGER"
    once = "CONSTRAINT amierules_usage_once UNIQUE (cluster, job_id, submitted)"
    numbered = (
        ("amierules_usage", "usage_id", f"{_USAGE}, PRIMARY KEY (usage_id), {once}"),
        ("amierules_usage_batch", "batch_id", f"{_BATCH}, PRIMARY KEY (batch_id)"),
        ("amierules_usage_run", "run_id", f"{_RUN}, PRIMARY KEY (run_id)"),
    )
    return (
        *(f"CREATE TABLE {table} ({key} {number} NOT NULL, {rest})" for table, key, rest in numbered),
        f"CREATE TABLE amierules_usage_report ({_REPORT})",
        f"CREATE TABLE amierules_usage_problem ({_PROBLEM})",
        "CREATE INDEX amierules_usage_report_batch ON amierules_usage_report (batch_id)",
        "CREATE INDEX amierules_usage_report_state ON amierules_usage_report (remote, state, usage_id)",
    )
