"""The yaml-language-server that editors run, spoken to as an editor does: JSON-RPC over its standard streams."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from tests.support import real

_FOLDER = Path(sys.prefix) / "node" / "node_modules" / "yaml-language-server"
"""Where scripts/setup puts it: inside the virtual environment."""
_SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "format": {"enable": False},
        "schemaStore": {"enable": False},
    }
}
_TIMEOUT = 20


class LanguageServer:
    """A running server for the files of one folder."""

    def __init__(self, folder: Path) -> None:
        node = real.require("node")
        if not _FOLDER.is_dir():
            real.missing("yaml-language-server", "not installed; scripts/setup test does so")
        real.used("yaml-language-server", json.loads((_FOLDER / "package.json").read_text())["version"])
        self._process = subprocess.Popen(
            [str(node), str(_FOLDER / "bin" / "yaml-language-server"), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._received: queue.Queue[dict[str, Any]] = queue.Queue()
        self._asked = 0
        self._versions: dict[str, int] = {}
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        capabilities = {
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "hover": {"contentFormat": ["markdown"]},
                "publishDiagnostics": {},
            },
            "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
        }
        folders = [{"uri": folder.as_uri(), "name": folder.name}]
        self._ask(
            "initialize",
            {
                "processId": None,
                "rootUri": folder.as_uri(),
                "workspaceFolders": folders,
                "capabilities": capabilities,
            },
        )
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": _SETTINGS})

    def close(self) -> None:
        """Ends the server."""
        self._ask("shutdown", None)
        self._tell("exit", None)
        self._process.wait(timeout=_TIMEOUT)
        self._reader.join(timeout=_TIMEOUT)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def diagnostics(self, file: Path, text: str) -> list[dict[str, Any]]:
        """What the server finds wrong with `file` if it holds `text`; lines and columns count from 0."""
        uri = self._show(file, text)
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                return list(message["params"]["diagnostics"])

    def completions(self, file: Path, text: str) -> list[str]:
        """What the server offers at the mark `|` in the text."""
        found = self._at_mark("textDocument/completion", file, text)
        items = found["items"] if isinstance(found, dict) else found
        return [item["label"] for item in items]

    def hover(self, file: Path, text: str) -> str:
        """What the server shows at the mark `|` in the text."""
        found = self._at_mark("textDocument/hover", file, text)
        return str(found["contents"]["value"]) if found else ""

    def _at_mark(self, method: str, file: Path, text: str) -> Any:
        before, _, after = text.partition("|")
        uri = self._show(file, before + after)
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self._ask(method, {"textDocument": {"uri": uri}, "position": position})

    def _show(self, file: Path, text: str) -> str:
        uri = file.as_uri()
        version = self._versions[uri] = self._versions.get(uri, 0) + 1
        if version == 1:
            document = {"uri": uri, "languageId": "yaml", "version": version, "text": text}
            self._tell("textDocument/didOpen", {"textDocument": document})
        else:
            document = {"uri": uri, "version": version}
            self._tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
        return uri

    def _ask(self, method: str, params: object) -> Any:
        self._asked += 1
        number = self._asked
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        """The next message; what the server asks of the editor is answered on the way."""
        message = self._received.get(timeout=_TIMEOUT)
        if "method" in message and "id" in message:
            items = (message.get("params") or {}).get("items", ())
            answer = [_SETTINGS.get(item.get("section") or "") for item in items]
            self._send({"id": message["id"], "result": answer if "configuration" in message["method"] else None})
        return message

    def _read(self, stream: IO[bytes]) -> None:
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            self._received.put(json.loads(stream.read(length)))
