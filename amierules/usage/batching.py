"""Records to requests of the Usage API: of one type each, and no larger than the API takes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from amierules.database.usage_reports import Record
from amierules.usage.records import TYPES, api_record

_AROUND = 64
"""Bytes of a request beside its records."""
_BETWEEN = 2
_ENCODER = json.JSONEncoder()


@dataclass
class Batch:
    """The records of one request."""

    kind: str
    records: list[Record] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    """The same as JSON, as the API reads them."""
    size: int = _AROUND
    """Bytes of the request."""

    @property
    def body(self) -> bytes:
        """The body of the request."""
        return f'{{"UsageType": "{TYPES[self.kind]}", "Records": [{", ".join(self.written)}]}}'.encode()


def batched(records: Iterable[Record], most: int, size: int) -> Iterator[Batch]:
    """Requests of at most `most` records and `size` bytes; one that is larger by itself goes alone."""
    open_batches: dict[str, Batch] = {}
    for record in records:
        written = _ENCODER.encode(api_record(record))
        length = len(written) + _BETWEEN
        batch = open_batches.get(record["kind"])
        if batch is not None and (len(batch.records) >= most or batch.size + length > size):
            yield batch
            batch = None
        if batch is None:
            batch = open_batches[record["kind"]] = Batch(record["kind"])
        batch.records.append(record)
        batch.written.append(written)
        batch.size += length
    yield from open_batches.values()
