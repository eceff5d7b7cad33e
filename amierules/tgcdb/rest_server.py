"""The REST front on a socket of this host, by uvicorn in a thread of its own."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from amierules.diagnostics import Finding, Unavailable
from amierules.tgcdb.rest import RestFront

LOOPBACK = "127.0.0.1"


class RestServer:
    """Serves a front until it is closed. Raises `Unavailable` (`cannot-listen`) where the port is not to be had."""

    def __init__(self, front: RestFront, *, host: str = LOOPBACK, port: int = 0) -> None:
        self._socket = _listening(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        config = uvicorn.Config(
            front.app(),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(found[0], found[1])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
        listening.listen(100)
    except OSError as error:
        hint = "choose another one with --port; --port 0 takes any that is free"
        raise Unavailable(
            Finding("cannot-listen", f"{host} port {port}: {error.strerror or error}", hint=hint)
        ) from error
    return listening
