"""A real PostgreSQL server for tests: on a unix socket alone, in a scratch folder, gone with the process."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2

from tests.support import real

_WITHOUT_CARE_FOR_CRASHES = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresServer:
    """A server in a folder of its own. As root it runs as the user `postgres`, else as the caller.

    A `durable` one writes each commit to the disk; one for tests alone is quicker, and loses data in a crash. `wal` is
    an empty folder for its log, which is then kept in small pieces; at `port` it listens on 127.0.0.1 too.
    """

    def __init__(self, *, durable: bool = False, wal: Path | None = None, port: int | None = None) -> None:
        self.programs = _programs()
        self._care = () if durable else _WITHOUT_CARE_FOR_CRASHES
        self.folder = Path(tempfile.mkdtemp(prefix="amierules-pg-", dir="/tmp"))
        self._account = _account()
        self.give(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        arguments = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        if wal is not None:
            self.give(wal)
            self._care = (*self._care, "min_wal_size=2MB", "max_wal_size=2MB")
            arguments += ["--waldir", str(wal), "--wal-segsize", "1"]
        self._run("initdb", "-D", str(self.folder / "data"), *arguments)
        self.port = port or 5432
        if port is not None:
            self._care = (*self._care, "listen_addresses=127.0.0.1", f"port={port}")
        self.start()
        self.version = str(self.query("show server_version")[0][0]).split(" ")[0]
        real.used("postgresql", self.version)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        settings = [f"unix_socket_directories={self.folder}", "listen_addresses=", *self._care]
        options = [word for setting in settings for word in ("-c", setting)]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *options]
        # The server ends with this process, even when that is killed.
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "INT", *command]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._account)
        self._wait()

    def stop(self) -> None:
        """Ends all connections and the server (SIGINT: PostgreSQL's fast shutdown)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def crash(self) -> None:
        """Ends the server at once (SIGQUIT): it recovers from its log when it is started again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def give(self, folder: Path) -> None:
        """Makes the server's account the owner of a folder."""
        if self._account:
            shutil.chown(folder, "postgres", "postgres")

    def url(self, name: str = "postgres", user: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://{user}@/{name}?host={self.folder}"

    def create_database(self, template: str = "template0", *, tablespace: str = "pg_default") -> str:
        """Makes a database with a name of its own; returns the name."""
        name = f"test_{uuid4().hex[:12]}"
        self.query(f'create database "{name}" template "{template}" tablespace "{tablespace}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drops the database, whoever is connected."""
        self.query(f'drop database if exists "{name}" with (force)')

    def end_connections(self, name: str) -> int:
        """Ends every connection to the database; returns how many there were."""
        return len(self.query(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"))

    def wait_until_alone(self, name: str) -> None:
        """Waits until no client is connected to the database: the server has noticed that those killed are gone."""
        others = f"select from pg_stat_activity where datname = '{name}'"
        wait = "perform pg_sleep(0.001); perform pg_stat_clear_snapshot();"
        self.query(f"do $$ begin while exists ({others}) loop {wait} end loop; end $$")

    def query(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs a statement on its own, outside any transaction; returns its rows."""
        connection = psycopg2.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, **self._account)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.query("select 1")
            except psycopg2.OperationalError:
                if time.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                    raise
                time.sleep(0.02)
            else:
                return


def _programs() -> Path:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return (places[-1] if places else real.require("initdb").resolve()).parent


def _account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        real.missing("postgresql", "there is no user postgres, and root may not run the server")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}
