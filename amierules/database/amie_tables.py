"""AMIE's own seven tables, as its reference implementation for PostgreSQL makes them (Implementing AMIE, 2012)."""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
)
from sqlalchemy.types import TypeEngine

from amierules.database.types import BigNumber, Utc
from amierules.protocol.packet import STATES


class SmallNumber(TypeDecorator[int]):
    """AMIE's numeric of a few digits: an integer in SQLite."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Integer on SQLite, numeric elsewhere."""
        return dialect.type_descriptor(Integer()) if dialect.name == "sqlite" else self.impl_instance

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """The number itself."""
        return value

    def process_result_value(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        """The whole number."""
        return None if value is None else int(value)


STATE_IDS = {name: number for number, name in enumerate(STATES, start=1)}
"""The ids of `state_des` (reference database DDL)."""
STATE_NAMES = {number: name for name, number in STATE_IDS.items()}

metadata = MetaData()

state_des = Table(
    "state_des",
    metadata,
    Column("state_id", SmallNumber(3, 0), primary_key=True, autoincrement=False),
    Column("state_name", String(32), nullable=False, unique=True),
)
type_des = Table(
    "type_des",
    metadata,
    Column("type_id", SmallNumber(3, 0), primary_key=True, autoincrement=False),
    Column("type_name", String(48), nullable=False, unique=True),
)
transaction_tbl = Table(
    "transaction_tbl",
    metadata,
    Column("trans_rec_id", Integer, primary_key=True),
    Column("originating_site_name", String(16), nullable=False),
    Column("transaction_id", BigNumber, nullable=False),
    Column("local_site_name", String(16), nullable=False),
    Column("remote_site_name", String(16), nullable=False),
    Column("state_id", SmallNumber(3, 0), ForeignKey(state_des.c.state_id), nullable=False),
    Column("ts", Utc, nullable=False, server_default=func.current_timestamp()),
    UniqueConstraint("originating_site_name", "transaction_id", "local_site_name", "remote_site_name"),
    sqlite_autoincrement=True,
)
transaction_depends_tbl = Table(
    "transaction_depends_tbl",
    metadata,
    Column("trans_rec_id", Integer, ForeignKey(transaction_tbl.c.trans_rec_id), nullable=False),
    Column("depends_on_trans_rec_id", Integer, ForeignKey(transaction_tbl.c.trans_rec_id), nullable=False),
    UniqueConstraint("trans_rec_id", "depends_on_trans_rec_id"),
)
packet_tbl = Table(
    "packet_tbl",
    metadata,
    Column("packet_rec_id", Integer, primary_key=True),
    Column("trans_rec_id", Integer, ForeignKey(transaction_tbl.c.trans_rec_id), nullable=False),
    Column("packet_id", BigNumber, nullable=False),
    Column("type_id", SmallNumber(3, 0), ForeignKey(type_des.c.type_id), nullable=False),
    Column("version", String(4), nullable=False),
    Column("state_id", SmallNumber(3, 0), ForeignKey(state_des.c.state_id), nullable=False),
    Column("outgoing_flag", SmallNumber(1, 0), nullable=False),
    Column("ts", Utc, nullable=False, server_default=func.current_timestamp()),
    UniqueConstraint("trans_rec_id", "packet_id", "outgoing_flag"),
    sqlite_autoincrement=True,
)
# With subtag null, neither PostgreSQL nor SQLite enforces the unique key: nulls are distinct.
data_tbl = Table(
    "data_tbl",
    metadata,
    Column("packet_rec_id", Integer, ForeignKey(packet_tbl.c.packet_rec_id), nullable=False),
    Column("tag", String(32), nullable=False),
    Column("subtag", String(128)),
    Column("seq", Integer, nullable=False),
    Column("value", Text),
    UniqueConstraint("packet_rec_id", "tag", "subtag", "seq"),
    Index("data_prid_idx", "packet_rec_id"),
    Index("data_prid_tag_idx", "packet_rec_id", "tag"),
)
expected_reply_tbl = Table(
    "expected_reply_tbl",
    metadata,
    Column("packet_rec_id", Integer, ForeignKey(packet_tbl.c.packet_rec_id), nullable=False),
    Column("type_id", SmallNumber(3, 0), ForeignKey(type_des.c.type_id), nullable=False),
    Column("timeout", Integer),
    PrimaryKeyConstraint("packet_rec_id", "type_id"),
)

TABLE_NAMES = tuple(metadata.tables)
VERSION = "1.0"
"""The only packet version there is (AMIE model)."""
