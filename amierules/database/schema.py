"""Which tables there are, how they are made, and the steps from one version of ours to the next."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from amierules.database import amie_tables, exchange_tables, own_tables, usage_tables
from amierules.database.usage_steps import usage_ledger
from amierules.protocol.catalogue import catalogue

Step = Callable[[str], Sequence[str]]
"""The SQL statements that lead to a version, for a dialect (`postgresql`, `sqlite`)."""


def _waiting_by_blocker(_dialect: str) -> Sequence[str]:
    """Whoever ends a packet finds those that wait for it; those that wait already are looked at once more."""
    return (
        "create index amierules_work_blocker on amierules_work (blocker) where status = 'waiting'",
        "update amierules_work set next_attempt_at = updated_at where status = 'waiting'",
    )


def _pauses(dialect: str) -> Sequence[str]:
    """Back ends that are away, and what people have paused."""
    moment = "datetime" if dialect == "sqlite" else "timestamp without time zone"
    return (
        f"create table amierules_pause (name text not null primary key, since {moment} not null, reason text not null,"
        f" until {moment}, who text not null, failures integer not null, prober integer)",
        "alter table amierules_work add column paused_by text",
    )


def _answers_of_approvals(dialect_name: str) -> list[str]:
    """What a hold asks for, and what its approval answered."""
    return [
        "alter table amierules_work add column asked json",
        "alter table amierules_approval add column answers json",
    ]


def _parameters_of_steps(dialect_name: str) -> list[str]:
    """What each step was given, so that a changed rule can be told parameter by parameter."""
    return ["alter table amierules_step add column given json"]


def _children_of_steps(dialect_name: str) -> list[str]:
    """How the process of a step is found, and when it has ended at the latest."""
    moment = "timestamp" if dialect_name == "postgresql" else "datetime"
    columns = ("place text", "mark text", f"deadline {moment}")
    return [f"alter table amierules_step add column {column}" for column in columns]


def _outbox(dialect_name: str) -> Sequence[str]:
    """The queue of messages."""
    number, moment = ("BIGSERIAL", "TIMESTAMP") if dialect_name == "postgresql" else ("INTEGER", "DATETIME")
    columns = (
        f"message_id {number} NOT NULL, packet_rec_id INTEGER NOT NULL, source VARCHAR(16) NOT NULL, "
        "rule TEXT NOT NULL, outcome VARCHAR(16) NOT NULL, position TEXT NOT NULL, channel VARCHAR(16) NOT NULL, "
        "target TEXT NOT NULL, content JSON, state VARCHAR(16) NOT NULL, attempts INTEGER DEFAULT 0 NOT NULL, "
        f"reason TEXT, next_attempt_at {moment}, sender TEXT, queued_at {moment} NOT NULL, "
        f"updated_at {moment} NOT NULL, PRIMARY KEY (message_id), "
        "UNIQUE (packet_rec_id, source, rule, outcome, position)"
    )
    return (
        f"CREATE TABLE amierules_outbox ({columns})",
        "CREATE INDEX amierules_outbox_unsent ON amierules_outbox (message_id) WHERE state in ('queued', 'sending')",
    )


def _observed(dialect_name: str) -> Sequence[str]:
    """What `run --observe` keeps."""
    moment = "TIMESTAMP" if dialect_name == "postgresql" else "DATETIME"
    columns = (
        f"packet_rec_id INTEGER NOT NULL, type TEXT NOT NULL, observed_at {moment} NOT NULL, rule TEXT, "
        "plan JSON NOT NULL, answered_by INTEGER, differences JSON, PRIMARY KEY (packet_rec_id)"
    )
    return (f"CREATE TABLE amierules_observed ({columns})",)


def _former_global_ids(dialect_name: str) -> Sequence[str]:
    """What finds persons by the GlobalIDs of those who were merged into them."""
    columns = "global_id TEXT NOT NULL PRIMARY KEY, person VARCHAR(32) NOT NULL REFERENCES amierules_person (key)"
    filled = {
        "postgresql": "INSERT INTO amierules_person_former_global"
        " SELECT DISTINCT one.value, amierules_person.key FROM amierules_person"
        " CROSS JOIN json_array_elements_text(data -> 'former_global_ids') AS one (value)",
        "sqlite": "INSERT INTO amierules_person_former_global"
        " SELECT DISTINCT one.value, amierules_person.key FROM amierules_person"
        " CROSS JOIN json_each(data, '$.former_global_ids') AS one",
    }
    return (
        f"CREATE TABLE amierules_person_former_global ({columns})",
        "CREATE INDEX ix_amierules_person_former_global_person ON amierules_person_former_global (person)",
        filled[dialect_name],
    )


def _exchange(dialect_name: str) -> Sequence[str]:
    """What `exchange` knows of the packets that it posts and fetches."""
    moment = "TIMESTAMP" if dialect_name == "postgresql" else "DATETIME"
    post = (
        "packet_rec_id INTEGER NOT NULL, what VARCHAR(16) NOT NULL, remote_site_name TEXT NOT NULL, "
        "state VARCHAR(16) NOT NULL, attempts INTEGER NOT NULL, reason TEXT, "
        f"began_at {moment}, next_attempt_at {moment}, updated_at {moment} NOT NULL, PRIMARY KEY (packet_rec_id)"
    )
    unreadable = (
        "remote_site_name TEXT NOT NULL, key TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, "
        f"raw TEXT NOT NULL, first_seen_at {moment} NOT NULL, seen_at {moment} NOT NULL, "
        "PRIMARY KEY (remote_site_name, key)"
    )
    told = "packet_rec_id INTEGER NOT NULL, told TEXT NOT NULL, PRIMARY KEY (packet_rec_id)"
    return (
        f"CREATE TABLE amierules_post ({post})",
        "CREATE INDEX amierules_post_unposted ON amierules_post (packet_rec_id) WHERE state in ('sending', 'waiting')",
        f"CREATE TABLE amierules_unreadable ({unreadable})",
        f"CREATE TABLE amierules_client_state ({told})",
        "CREATE INDEX amierules_packet_unnamed ON amierules_packet (packet_rec_id) WHERE remote_packet_rec_id is null",
        "CREATE INDEX amierules_packet_remote_trans ON amierules_packet (remote_trans_rec_id)",
    )


def _bringers_of_projects(dialect_name: str) -> list[str]:
    """Which packet brought a project to a resource."""
    return ["alter table amierules_project_resource add column brought_by integer"]


STEPS: tuple[Step, ...] = (
    _waiting_by_blocker,
    _pauses,
    _answers_of_approvals,
    _parameters_of_steps,
    _children_of_steps,
    _outbox,
    _observed,
    _former_global_ids,
    _exchange,
    usage_ledger,
    _bringers_of_projects,
)
"""The steps from version 1 on: the first leads to version 2."""
CURRENT_VERSION = 1 + len(STEPS)

OURS = "ours"
FOUND = "found"
OWN_TABLE_NAMES = tuple({**exchange_tables.post.metadata.tables, **usage_tables.usage.metadata.tables})
RESTORE_AMIE = "restore AMIE's tables from a backup"
RESTORE_OURS = "restore it from a backup: nothing makes a lost table again"


def create_amie_tables(connection: Connection) -> None:
    """Make AMIE's seven tables, with the states and packet types that AMIE knows.

    On PostgreSQL a trigger tells our workers of packets that any program writes. Tables that were found get none.
    """
    amie_tables.metadata.create_all(connection, checkfirst=False)
    connection.execute(
        insert(amie_tables.state_des),
        [{"state_id": number, "state_name": name} for name, number in amie_tables.STATE_IDS.items()],
    )
    connection.execute(
        insert(amie_tables.type_des),
        [{"type_id": number, "type_name": kind.name} for number, kind in sorted(catalogue().by_id.items())],
    )
    for statement in _tell_workers() if connection.dialect.name == "postgresql" else ():
        connection.exec_driver_sql(statement)


def _tell_workers() -> Sequence[str]:
    in_progress = amie_tables.STATE_IDS["in-progress"]
    return (
        "create or replace function amierules_tell_workers() returns trigger language plpgsql as"
        f" $$ begin perform pg_notify('{own_tables.CHANNEL}', ''); return null; end $$",
        "create trigger amierules_tell_workers after insert or update of state_id on packet_tbl for each row"
        f" when (new.outgoing_flag = 0 and new.state_id = {in_progress}) execute function amierules_tell_workers()",
    )


def create_own_tables(connection: Connection, *, amie: str, version: int = CURRENT_VERSION) -> None:
    """Make our own tables; `amie` says whose the AMIE tables are (`OURS` or `FOUND`)."""
    own_tables.metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(own_tables.meta), [{"name": "amie_tables", "value": amie}])
    record_versions(connection, range(1, version + 1))


def record_versions(connection: Connection, versions: Iterable[int]) -> None:
    """Note that these versions were reached now."""
    now = datetime.now(UTC)
    rows = [{"version": version, "applied_at": now} for version in versions]
    if rows:
        connection.execute(insert(own_tables.migration), rows)


def installed_version(connection: Connection) -> int:
    """The version of our tables; they must be there. 0 where none is recorded."""
    return connection.execute(select(func.max(own_tables.migration.c.version))).scalar_one() or 0


def whose_amie_tables(connection: Connection) -> str:
    """`OURS` where `create_amie_tables` made AMIE's tables, else `FOUND`."""
    statement = select(own_tables.meta.c.value).where(own_tables.meta.c.name == "amie_tables")
    return connection.execute(statement).scalar_one_or_none() or FOUND
