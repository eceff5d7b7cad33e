"""Taking a packet over: from then on nobody else can record anything about it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update

from amierules.database import events
from amierules.database.json_values import as_json
from amierules.database.own_tables import work
from amierules.database.ownership import lost_to_another
from amierules.database.standing import Standing
from amierules.database.together import Write, Writer, write
from amierules.database.types import Utc
from amierules.database.work import WorkItem, set_keys

_COLUMNS: Any = work.c
_TAKE_OVER = Write(
    "amierules_take_over",
    update(work)
    .where(
        work.c.packet_rec_id == bindparam("number"),
        work.c.fence == bindparam("was_fence"),
        work.c.status == bindparam("was_status"),
        work.c.updated_at == bindparam("was_updated_at"),
    )
    .values(
        {
            **Standing("running", take_over=True).values(bindparam("now", type_=Utc), _COLUMNS),
            "begun": True,
            "pinned": bindparam("pinned"),
        }
    ),
    must_hit=True,
)


def take_over(
    writer: Writer,
    item: WorkItem,
    keys: Collection[str] | None,
    *,
    pinned: Mapping[str, object],
    who: str,
    now: datetime,
) -> int:
    """Makes the packet this worker's alone, `running`, as its first effect is to begin; returns its fence.

    `keys` are new lock keys, None for the same; `pinned` is the rule, with the values that it saw. Raises
    `LostOwnership` where anything has changed about the packet since `item` was read.
    """
    was = {"was_fence": item.fence, "was_status": item.status, "was_updated_at": item.updated_at}
    lost, kept = lost_to_another(item.packet_rec_id), as_json(pinned)
    write(writer, _TAKE_OVER, lost, number=item.packet_rec_id, now=now, pinned=kept, **was)
    events.write_one(writer, item.packet_rec_id, who, "running", "", now)
    if keys is not None:
        set_keys(writer, item.packet_rec_id, keys)
    return item.fence + 1
