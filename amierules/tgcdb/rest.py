"""The REST front: ACCESS's packet API and the calls of its test server, as a Starlette application."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from amierules.shipped import read_schema
from amierules.tgcdb import rows
from amierules.tgcdb.central import Central
from amierules.tgcdb.fault_layer import FaultLayer
from amierules.tgcdb.faults import Fault, Faults
from amierules.tgcdb.listing import LARGEST, BadFilter, list_packets, read_filters
from amierules.tgcdb.packet_json import packet_json, transaction_json
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import CentralPacket
from amierules.tgcdb.scenarios import scenarios
from amierules.tgcdb.submitted import Malformed, read_json, read_submitted

MOST_BYTES = 8_000_000
"""A call may post so much."""

Handler = Callable[[Request, str], Awaitable[Response]]


@dataclass(frozen=True)
class RestFront:
    """What the front serves: a central database to sites, each with its API key; `resources` are those of scenarios."""

    central: Central
    keys: Mapping[str, str]
    resources: tuple[str, ...]
    seed: int
    faults: Faults

    def app(self) -> Starlette:
        """The application."""
        routes = [
            self._route("packets/{site}", {"GET": self._list, "POST": self._post}),
            self._route("packets/{site}/{packet}", {"GET": self._get}),
            self._route("packets/{site}/{packet}/reply", {"POST": self._reply}),
            self._route("packets/{site}/{packet}/client_state", {"DELETE": self._no_client_state}),
            self._route("packets/{site}/{packet}/client_state/{state:path}", {"PUT": self._client_state}),
            self._route(
                "packets/{site}/{packet}/client_json", {"PUT": self._client_json, "DELETE": self._no_client_json}
            ),
            self._route("transactions/{site}/{transaction}/packets", {"GET": self._transaction}),
            self._route("transactions/{site}/{transaction}/state/failed", {"PUT": self._fail}),
            self._route("test/{site}/scenarios", {"POST": self._scenario}),
            self._route("test/{site}/reset", {"POST": self._reset}),
            self._route("test/{site}/faults", {"POST": self._wanted_faults}),
            Route("/openapi.json", _openapi, methods=["GET"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: _broken})
        app.add_middleware(FaultLayer, faults=self.faults)
        return app

    def _route(self, path: str, handlers: Mapping[str, Handler]) -> Route:
        async def endpoint(request: Request) -> Response:
            site = request.path_params["site"]
            refused = self._refused(request, site)
            if refused is not None:
                return refused
            method = "GET" if request.method == "HEAD" else request.method
            try:
                return await handlers[method](request, site)
            except Malformed as error:
                await run_in_threadpool(self._keep, site, error.violation)
                return _failed(400, str(error.violation))
            except BadFilter as error:
                return _failed(400, str(error))

        return Route(f"/{path}", endpoint, methods=list(handlers))

    def _refused(self, request: Request, site: str) -> Response | None:
        """The answer to a call without the right headers."""
        named, key = request.headers.get("XA-SITE"), request.headers.get("XA-API-KEY")
        if named is None or key is None:
            reason = "the headers XA-SITE and XA-API-KEY are required"
        elif named != site:
            reason = "XA-SITE is not the site in the path"
        elif self.keys.get(site) != key:
            reason = "the site is unknown, or the API key is wrong"
        else:
            return None
        if site in self.keys:
            self._keep(site, Violation("T50", reason))
        return _failed(401, reason)

    def _keep(self, site: str, violation: Violation) -> None:
        with self.central.store.begin() as connection:
            rows.add_violations(connection, site, [violation], self.central.clock.now())

    async def _list(self, request: Request, site: str) -> Response:
        wanted = read_filters(request.query_params)

        def listed() -> list[dict[str, Any]]:
            self.central.agenda.go_on()
            with self.central.store.begin() as connection:
                return list_packets(connection, site, wanted)

        return _done(await run_in_threadpool(listed))

    async def _get(self, request: Request, site: str) -> Response:
        packet_rec_id = _number(request, "packet")

        def found() -> dict[str, Any] | None:
            with self.central.store.begin() as connection:
                packet = rows.find_packet(connection, site, packet_rec_id)
                within = None if packet is None else rows.find_transaction(connection, site, packet.trans_rec_id)
                return None if packet is None or within is None else packet_json(packet, within)

        packet = await run_in_threadpool(found)
        return _failed(404, "there is no such packet") if packet is None else _done(packet)

    async def _post(self, request: Request, site: str) -> Response:
        return await self._take(request, site, None)

    async def _reply(self, request: Request, site: str) -> Response:
        return await self._take(request, site, _number(request, "packet"))

    async def _take(self, request: Request, site: str, in_reply_to: int | None) -> Response:
        sent = read_submitted(await _body(request), in_reply_to)
        taken = await run_in_threadpool(self.central.take, site, sent)
        if taken.packet_rec_id is None:
            return _failed(400, taken.refusal)
        return _done(None, "the packet was taken")

    async def _client_state(self, request: Request, site: str) -> Response:
        return await self._annotate(request, site, client_state=request.path_params["state"])

    async def _no_client_state(self, request: Request, site: str) -> Response:
        return await self._annotate(request, site, client_state=None)

    async def _client_json(self, request: Request, site: str) -> Response:
        return await self._annotate(request, site, client_json=read_json(await _body(request)))

    async def _no_client_json(self, request: Request, site: str) -> Response:
        return await self._annotate(request, site, client_json=None)

    async def _annotate(self, request: Request, site: str, **values: Any) -> Response:
        packet_rec_id = _number(request, "packet")

        def annotate() -> CentralPacket | None:
            with self.central.store.begin() as connection:
                packet = rows.find_packet(connection, site, packet_rec_id)
                if packet is not None:
                    rows.change_packet(connection, packet_rec_id, self.central.clock.now(), **values)
                return packet

        found = await run_in_threadpool(annotate)
        return _failed(404, "there is no such packet") if found is None else _done(None)

    async def _transaction(self, request: Request, site: str) -> Response:
        trans_rec_id = _number(request, "transaction")

        def found() -> dict[str, Any] | None:
            with self.central.store.begin() as connection:
                within = rows.find_transaction(connection, site, trans_rec_id)
                if within is None:
                    return None
                return transaction_json(within, rows.packets_of(connection, trans_rec_id))

        transaction = await run_in_threadpool(found)
        return _failed(404, "there is no such transaction") if transaction is None else _done(transaction)

    async def _fail(self, request: Request, site: str) -> Response:
        done = await run_in_threadpool(self.central.fail, site, _number(request, "transaction"))
        return _done(None) if done else _failed(404, "there is no such transaction in progress")

    async def _scenario(self, request: Request, site: str) -> Response:
        name = request.query_params.get("type", "")
        scenario = scenarios().get(name)
        if scenario is None:
            return _failed(400, f"there is no such scenario; there are: {', '.join(scenarios())}")
        steps = scenario.steps_on(self.resources)
        await run_in_threadpool(self.central.agenda.begin, site, name, steps, self.seed, self.resources)
        return _done(None, "Test scenario initiated")

    async def _reset(self, request: Request, site: str) -> Response:
        await run_in_threadpool(self.central.reset, site)
        return _done(None, f"Reset site data for {site}")

    async def _wanted_faults(self, request: Request, site: str) -> Response:
        kind, count = request.query_params.get("kind", ""), request.query_params.get("count", "1")
        if kind not in list(Fault) or not (count.isascii() and count.isdigit() and 0 < int(count[:4]) <= 1000):
            return _failed(400, f"kind is one of {', '.join(Fault)}, count is 1 to 1000")
        self.faults.want(Fault(kind), int(count[:4]))
        return _done(None, f"the next {count} calls go wrong: {kind}")


async def _body(request: Request) -> bytes:
    """What was posted. Raises `Malformed` where it is too much."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise Malformed(f"more than {MOST_BYTES} bytes were posted")
    return bytes(data)


def _number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > LARGEST:
        raise HTTPException(404, f"there is no such {name}")
    return int(text)


def _done(result: Any, message: str | None = None) -> Response:
    return JSONResponse({"message": message, "result": result})


def _failed(status: int, message: str) -> Response:
    return JSONResponse({"message": message, "result": None}, status_code=status)


async def _openapi(request: Request) -> Response:
    described = read_schema("tgcdb/openapi")
    return JSONResponse({key: value for key, value in described.items() if key != "$schema"})


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _failed(error.status_code, str(error.detail))


async def _broken(request: Request, error: Exception) -> Response:
    return _failed(500, "internal error of the test central database")
