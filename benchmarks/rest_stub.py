"""A server that costs as little as can be: it lists packets, and takes whatever is posted."""

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SPAWN = multiprocessing.get_context("spawn")
SITE = "TestSite"


def packets(count: int) -> list[dict[str, Any]]:
    """So many request_project_inactivate packets as the REST API lists them."""
    return [_packet(number) for number in range(1, count + 1)]


def _packet(number: int) -> dict[str, Any]:
    stamp = f"2026-02-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
    body = {
        **{"ProjectID": f"P{number}", "ResourceList": ["alpha.site.example"], "PersonID": str(number)},
        **{"GrantNumber": f"G{number}", "StartDate": "2026-02-01", "EndDate": "2027-01-31", "Comment": "over"},
        **{"ServiceUnitsAllocated": "1000", "ServiceUnitsRemaining": "-1", "AllocatedResource": "alpha"},
    }
    header = {
        **{"packet_rec_id": number, "trans_rec_id": number, "transaction_id": number, "packet_id": 1},
        **{"originating_site_name": "TGCDB", "local_site_name": "TGCDB", "remote_site_name": SITE, "outgoing_flag": 1},
        **{"packet_state": "in-progress", "transaction_state": "in-progress", "packet_timestamp": stamp},
        **{"client_state": None, "client_json": None},
        "expected_reply_list": [{"type": "notify_project_inactivate", "timeout": 30240}],
    }
    return {"DATA_TYPE": "Packet", "type": "request_project_inactivate", "header": header, "body": body}


class _Server(asyncio.Protocol):
    def __init__(self, listed: bytes) -> None:
        self._listed = listed
        self._data = b""
        self._taken = 1_000_000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            length = int(lengths[0].partition(b":")[2]) if lengths else 0
            if len(rest) < length:
                return
            self._data = rest[length:]
            self._transport.write(self._answer(head, json.loads(rest[:length]) if length else None))

    def _answer(self, head: bytes, _posted: object) -> bytes:
        body = self._listed
        if head.startswith(b"POST"):
            self._taken += 1
            keys = {"packet_rec_id": self._taken, "trans_rec_id": self._taken}
            body = json.dumps({"message": None, "result": {"header": keys}}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _serve(pipe: Any, count: int) -> None:
    listed = json.dumps({"message": None, "result": packets(count)}).encode()

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Server(listed), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def serving(count: int) -> Iterator[str]:
    """The address of such a server, in a process of its own."""
    ours, theirs = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=_serve, args=(theirs, count), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()
