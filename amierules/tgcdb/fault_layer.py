"""The faults of the REST front, between the server and the application."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amierules.tgcdb.faults import Fault, Faults

_STATUS = {Fault.UNAUTHORIZED: 401, Fault.THROTTLED: 429, Fault.BROKEN: 500}
_API = ("/packets/", "/transactions/")


class FaultLayer:
    """Lets calls of the packet API go wrong as `Faults` chooses."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call, as ASGI has it."""
        fault = None
        if scope["type"] == "http" and scope["path"].startswith(_API):
            fault = self._faults.next()
        if fault is None:
            await self._app(scope, receive, send)
        elif fault in _STATUS:
            await self._refuse(_STATUS[fault], send)
        elif fault is Fault.SLOW:
            await anyio.sleep(self._faults.plan.slow)
            await self._app(scope, receive, send)
        else:
            await self._lose_answer(scope, receive, send, cut=fault is Fault.CUT)

    async def _refuse(self, status: int, send: Send) -> None:
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
        if status == _STATUS[Fault.THROTTLED]:
            headers.append((b"retry-after", str(self._faults.plan.retry_after).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"fault"})

    async def _lose_answer(self, scope: Scope, receive: Receive, send: Send, *, cut: bool) -> None:
        """The call is done; its answer is empty, or stops before its body."""
        succeeded = True

        async def swallow(message: Message) -> None:
            nonlocal succeeded
            if message["type"] == "http.response.start":
                succeeded = message["status"] < 400

        await self._app(scope, receive, swallow)
        length = b"1000" if cut else b"0"
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200 if succeeded else 400, "headers": headers})
        if not cut:
            await send({"type": "http.response.body", "body": b""})
        # Else the server finds the answer incomplete and closes the connection.
