"""The first packet of a transaction that the central database starts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.protocol.rows import normalise
from amierules.tgcdb import rows
from amierules.tgcdb.knowledge import Knowledge
from amierules.tgcdb.learning import learn_request
from amierules.tgcdb.records import Transaction


def start(
    connection: Connection,
    site: str,
    type_name: str,
    content: Mapping[str, Any],
    now: datetime,
    *,
    run_id: int | None = None,
    position: int | None = None,
    expects: str | None = None,
    behaviour: Mapping[str, Any] | None = None,
    timeout: int | None = None,
) -> Transaction:
    """Starts a transaction with its request. `behaviour`, `timeout` (minutes): as `rows.insert_packet` has them."""
    within = rows.insert_transaction(
        connection, site=site, originating=rows.CENTRAL, now=now, run_id=run_id, position=position, expects=expects
    )
    rows.insert_packet(
        connection, within, type_name, content, to_site=True, now=now, behaviour=behaviour, timeout=timeout
    )
    learn_request(normalise(content), type_name, Knowledge(connection, site))
    return within
