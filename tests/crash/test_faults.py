"""A full disk, a read-only database, a connection cut, at each point: said clearly, and the next run goes on."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from amierules.database.ownership import LostOwnership
from amierules.diagnostics import ExitStatus, Unavailable
from amierules.engine.site import CrashPoint
from tests.support import real
from tests.support.crash_kinds import DURING, EVERYTHING, KINDS, CrashKind
from tests.support.crash_matrix import Backend, Matrix, settle_by_hand
from tests.support.deaths import passing
from tests.support.postgres import PostgresServer
from tests.support.sites import run

COMMANDS = [kind for kind in KINDS if kind.name in ("command with unless", "command at most once", "user")]


def _played(
    kind: CrashKind, backend: Backend, folder: Path, trouble: Callable[[], object], over: Callable[[], object]
) -> dict[tuple[str, int], str]:
    """Lets a packet meet the trouble in each cell, and then, when it is over, all go on; the codes of what was said."""
    cells = [cell for cell in kind.cells() if cell[0] != DURING]
    matrix = Matrix(kind, backend, folder, len(cells))
    said = {}
    for number, (point, passage) in enumerate(cells, 1):
        said[point, passage] = _code(matrix, matrix.packets[number], passing(point, passage, trouble))
        over()
    run(matrix.site)
    settle_by_hand(matrix, cells)
    matrix.check()
    return said


def _code(matrix: Matrix, packet: int, crash_point: CrashPoint) -> str:
    """What was said of a run over this packet: `nothing` where it went well. The command ends with 5 otherwise."""
    try:
        run(matrix.site, [packet], crash_point=crash_point)
    except Unavailable as error:
        codes = [finding.code for finding in error.findings]
        return codes[0] if (len(codes), error.status) == (1, ExitStatus.UNAVAILABLE) else str(error)
    except LostOwnership:
        return "lost ownership"
    return "nothing"


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.name)
def test_a_connection_that_is_cut(
    kind: CrashKind, durable: Backend, durable_server: PostgresServer, tmp_path: Path
) -> None:
    said = _played(kind, durable, tmp_path, lambda: durable_server.end_connections(durable.database), lambda: None)
    assert {cell: code for cell, code in said.items() if code not in ("database-lost", "lost ownership")} == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        real.missing("mount", mounted.stderr.decode().strip())
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(disk: Path) -> None:
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (1_000_000, 4096, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                continue


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.name)
def test_a_full_disk_below_an_sqlite_file(kind: CrashKind, small_disk: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{small_disk}/amie.db"
    Database.open(url, create=True).close()
    said = _played(
        kind,
        Backend("sqlite", url),
        tmp_path,
        lambda: _fill(small_disk),
        lambda: (small_disk / "filler").unlink(missing_ok=True),
    )
    assert {cell: code for cell, code in said.items() if code != "disk-full"} == {("after settling", 1): "nothing"}


def _open_folder(disk: Path) -> Path:
    """A folder that the server's account can reach."""
    space = disk / "space"
    space.mkdir()
    for folder in (*reversed(space.parents[:5]), space):
        folder.chmod(folder.stat().st_mode | 0o055)
    return space


def test_a_full_disk_below_postgresql(durable_server: PostgresServer, small_disk: Path, tmp_path: Path) -> None:
    space = _open_folder(small_disk)
    durable_server.give(space)
    durable_server.query(f"create tablespace small location '{space}'")
    name = durable_server.create_database(tablespace="small")
    with Database.open_unchecked(durable_server.url(name)) as database:
        create_all(database)
    matrix = Matrix(EVERYTHING, Backend("postgresql", durable_server.url(name)), tmp_path, 12)
    _fill(small_disk)
    with pytest.raises(Unavailable) as error:
        run(matrix.site)
    assert [finding.code for finding in error.value.findings] == ["disk-full"]
    (small_disk / "filler").unlink()
    run(matrix.site)
    matrix.check()
    durable_server.drop_database(name)
    durable_server.query("drop tablespace small")


def _use_up(server: PostgresServer) -> None:
    """Writes to the server's log until that cannot grow any more: then the whole server ends."""
    write = "select pg_logical_emit_message(true, 'filler', repeat('x', 100000)) from generate_series(1, 1000)"
    with pytest.raises(psycopg2.OperationalError):
        server.query(write)


def test_a_full_disk_below_postgresqls_log(small_disk: Path, tmp_path: Path) -> None:
    server = PostgresServer(durable=True, wal=_open_folder(small_disk))
    try:
        url = server.url(server.create_database())
        with Database.open_unchecked(url) as database:
            create_all(database)
        cells = [("in intent", 2), ("after effect", 3), ("in settling", 1)]
        matrix = Matrix(EVERYTHING, Backend("postgresql", url), tmp_path, len(cells))

        def trouble() -> None:
            _fill(small_disk)
            _use_up(server)

        for packet, cell in zip(matrix.packets[1:], cells, strict=True):
            assert _code(matrix, packet, passing(*cell, trouble)) in ("database-lost", "lost ownership")
            server.stop()
            assert _code(matrix, packet, lambda name: None) == "database-unreachable"
            (small_disk / "filler").unlink()
            server.start()
        run(matrix.site)
        matrix.check()
    finally:
        server.remove()


def test_a_database_that_becomes_read_only(durable: Backend, durable_server: PostgresServer, tmp_path: Path) -> None:
    matrix = Matrix(EVERYTHING, durable, tmp_path, 2)
    alter = f'alter database "{durable.database}" set default_transaction_read_only ='

    def demote() -> None:
        durable_server.query(f"{alter} on")
        durable_server.end_connections(durable.database)

    assert _code(matrix, matrix.packets[1], passing("after intent", 2, demote)) in ("database-lost", "lost ownership")
    left = [matrix.left(number) for number in (1, 2)]
    assert _code(matrix, matrix.packets[1], lambda name: None) == "database-read-only"
    assert _code(matrix, matrix.packets[2], lambda name: None) == "database-read-only"
    assert [matrix.left(number) for number in (1, 2)] == left
    durable_server.query(f"{alter} off")
    run(matrix.site)
    matrix.check()
