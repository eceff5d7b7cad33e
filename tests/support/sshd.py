"""A real sshd for tests: on loopback alone, with keys of its own, gone with the process."""

import getpass
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from amierules.ports.cluster import ClusterNodes
from amierules.rulebook.ssh import SshSettings
from tests.support import real
from tests.support.servers import closed_port

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
NODES = "127.0.0.[1-3]"
"""All of them, as ClusterShell writes it."""


class SshServer:
    """A server in a folder of its own, that lets in whoever runs the tests, by key."""

    def __init__(self, *, max_startups: int = 200, addresses: tuple[str, ...] = ADDRESSES) -> None:
        self._sshd = real.require("sshd")
        keygen = real.require("ssh-keygen")
        self.addresses = addresses
        self.folder = Path(tempfile.mkdtemp(prefix="amierules-sshd-", dir="/tmp"))
        self.port = closed_port()
        for name in ("host", "user"):
            words = [str(keygen), "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized_keys")
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        self.known_hosts = self.folder / "known_hosts"
        self.known_hosts.write_text("".join(f"[{one}]:{self.port} {kind} {key}\n" for one in self._all_addresses()))
        (self.folder / "config").write_text(self._configuration(max_startups))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        real.used("sshd")

    def _all_addresses(self) -> list[str]:
        return [*self.addresses, *(f"127.0.1.{number}" for number in range(1, 255))]

    def _configuration(self, max_startups: int) -> str:
        lines = [
            *(f"ListenAddress {one}" for one in (["0.0.0.0"] if self.addresses != ADDRESSES else self.addresses)),
            f"Port {self.port}",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"PidFile {self.folder / 'pid'}",
            f"MaxStartups {max_startups}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "PermitUserEnvironment no",
            "LogLevel VERBOSE",
        ]
        return "\n".join(lines) + "\n"

    def start(self) -> None:
        """Starts the server and waits until it listens."""
        if getpass.getuser() == "root":
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [str(self._sshd), "-D", "-e", "-f", str(self.folder / "config")]
        # The server ends with this process, even when that is killed.
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", *command]
        listens = self.log().count("Server listening") + len(self.addresses)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while self.log().count("Server listening") < listens:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(self.log())
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends the server; sessions that are open go on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What the server has written."""
        file = self.folder / "log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def settings(self, **others: object) -> SshSettings:
        """How its nodes are reached."""
        given: dict[str, object] = {
            "user": getpass.getuser(),
            "port": self.port,
            "key": self.folder / "user",
            "known_hosts": self.known_hosts,
            "config": Path("none"),
            "connect_timeout": 20,
        }
        return SshSettings(**{**given, **others})  # type: ignore[arg-type]

    def nodes(self, **others: object) -> ClusterNodes:
        """Its nodes."""
        return ClusterNodes(self.settings(**others))

    def section(self, **others: object) -> dict[str, object]:
        """The configuration's `ssh`."""
        given = {
            "user": getpass.getuser(),
            "port": self.port,
            "key": str(self.folder / "user"),
            "known_hosts": str(self.known_hosts),
            "config": "none",
            "connect_timeout": "20s",
        }
        return {**given, **others}
