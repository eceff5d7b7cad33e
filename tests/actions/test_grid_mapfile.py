"""The kind `grid_mapfile`: what it plans, and what it does to the file that GSI services read."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amierules.actions import grid_mapfile
from amierules.actions.base import ActionError, BackendUnavailable, Doubt, InDoubt, Transient
from amierules.actions.parameters import check_params
from amierules.ports import whole_files
from amierules.ports.file_locks import locked
from amierules.templating import Unknown
from tests.support.grid_security import may_use
from tests.support.hostile import HOSTILE, VALUES
from tests.support.real import require_root
from tests.support.shadow import Runner

ANN, BEA = "/C=US/O=Org/CN=Ann Example", "/DC=EDU/CN=bea"
FOREIGN = b'# staff\r\n\r\n"/CN=Cal" cal,root\t# keep\n/CN=plain d'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "grid-mapfile"


@pytest.fixture
def runner(file: Path) -> Runner:
    made = Runner(grid_mapfile, "grid_mapfile", None)
    made.schema = {**made.schema, "properties": made.schema["properties"]}
    return made


def test_dns_are_added_and_removed(runner: Runner, file: Path) -> None:
    file.write_bytes(FOREIGN)
    assert runner.run(login="ann", add=[ANN, BEA], file=str(file)) == {"dns": [ANN, BEA]}
    assert file.read_bytes() == FOREIGN + f'\n"{ANN}" ann\n"{BEA}" ann\n'.encode()
    assert may_use(file, [(ANN, "ann"), (BEA, "ann"), ("/CN=Cal", "ann"), ("/CN=plain", "d")]) == [
        True,
        True,
        False,
        True,
    ]
    assert runner.plan(login="ann", add=[ANN, BEA], file=str(file)).reason == "the DNs are as wanted"
    assert runner.run(login="ann", remove=[ANN], file=str(file)) == {"dns": [BEA]}
    assert runner.run(login="ann", exact=[], file=str(file)) == {"dns": []}
    assert file.read_bytes() == FOREIGN + b"\n"
    assert runner.plan(login="ann", remove=[ANN, BEA], file=str(file)).changes == ()


def test_a_dn_of_another_login_gets_this_one_beside_it(runner: Runner, file: Path) -> None:
    file.write_text(f'"{ANN}" old\n')
    runner.run(login="ann", add=[ANN], file=str(file))
    assert file.read_text() == f'"{ANN}" old,ann\n'
    assert may_use(file, [(ANN, "old"), (ANN, "ann")]) == [True, True]
    runner.run(login="old", exact=[], file=str(file))
    assert file.read_text() == f'"{ANN}" ann\n'


def test_exact_leaves_no_other_dn(runner: Runner, file: Path) -> None:
    file.write_bytes(f'"{ANN}" ann,b\n"/CN=old" ann\n"/CN=\\xff" ann\n"/CN=c" b\n'.encode())
    plan = runner.plan(login="ann", exact=[ANN, BEA], file=str(file))
    assert [(change.op, change.before or change.after) for change in plan.changes] == [
        ("delete", {"dn": "/CN=old", "login": "ann"}),
        ("delete", {"dn": "/CN=\\xff", "login": "ann"}),
        ("create", {"dn": BEA, "login": "ann"}),
    ]
    assert runner.run(login="ann", exact=[ANN, BEA], file=str(file)) == {"dns": [ANN, BEA]}
    assert file.read_text() == f'"{ANN}" ann,b\n"/CN=c" b\n"{BEA}" ann\n'


def test_a_plan_says_what_a_run_does(runner: Runner, file: Path) -> None:
    plan = runner.plan(login="ann", add=[ANN], file=str(file), dry=True)
    (change,) = plan.changes
    assert (change.summary, change.op) == (f'let "{ANN}" use ann in {file}', "create")
    assert change.target == f"grid-mapfile {file}"
    assert plan.result == {"dns": [ANN]}
    assert not file.exists()
    later = runner.params(login="bea", add=[ANN], file=str(file))
    (change,) = grid_mapfile.plan(later, plan.after, runner.surroundings(dry=True)).changes
    assert change.after == {"dn": ANN, "login": "bea"}
    assert grid_mapfile.target(later) == grid_mapfile.target(runner.params(login="ann", add=[], file=str(file)))


def test_what_is_not_known_yet_is_planned(runner: Runner, file: Path) -> None:
    login = Unknown("person", "ann")
    (change,) = runner.plan(login=login, add=Unknown("person", [ANN]), file=str(file), dry=True).changes
    assert change.summary.startswith(f'let "(known after person, probably {ANN})" use (known after person, probably')
    plan = runner.plan(login=Unknown("person"), remove=[ANN], add=Unknown("lookup"), file=str(file), dry=True)
    assert [change.op for change in plan.changes] == ["delete", "create"]
    assert isinstance(plan.result, Unknown)


def test_changes_fit_the_file_as_it_is_by_then(runner: Runner, file: Path) -> None:
    params, plan, surroundings = runner.planned(login="ann", add=[ANN], file=str(file))
    file.write_text(f'"/CN=x" x\n"{ANN}" old\n')
    assert grid_mapfile.apply(params, plan, surroundings) == {"dns": [ANN]}
    assert file.read_text() == f'"/CN=x" x\n"{ANN}" old,ann\n'


def test_mode_owner_attributes_and_links_are_kept(runner: Runner, tmp_path: Path) -> None:
    require_root()
    real, link = tmp_path / "real" / "mapfile", tmp_path / "grid-mapfile"
    real.parent.mkdir()
    real.write_bytes(FOREIGN)
    os.chown(real, 12345, 23456)
    real.chmod(0o640)
    os.setxattr(real, "user.note", b"kept") if _has_attributes(real) else None
    link.symlink_to("real/mapfile")
    runner.run(login="ann", add=[ANN], file=str(link))
    status = real.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o640)
    assert not _has_attributes(real) or os.getxattr(real, "user.note") == b"kept"
    assert link.is_symlink()
    assert {path.name for path in real.parent.iterdir()} == {"mapfile", ".mapfile.lock"}


def _has_attributes(path: Path) -> bool:
    try:
        os.setxattr(path, "user.probe", b"")
    except OSError:
        return False
    return True


def test_a_new_file_can_be_read_by_all(runner: Runner, file: Path) -> None:
    runner.run(login="ann", add=[ANN], file=str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_writers_at_once_lose_nothing(file: Path) -> None:
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(5):
                made = Runner(grid_mapfile, "grid_mapfile", None)
                made.run(login=f"user{number}", add=[f"/CN={number} {turn}"], file=str(file))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    wanted = {f'"/CN={number} {turn}" user{number}' for number in range(8) for turn in range(5)}
    assert set(file.read_text().splitlines()) == wanted


def test_a_lock_that_others_keep_is_waited_for_within_bounds(
    runner: Runner, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid_mapfile, "_LOCK_WAIT", 0.0)
    with locked(str(file.parent / ".grid-mapfile.lock"), 1), pytest.raises(BackendUnavailable, match="another process"):
        runner.run(login="ann", add=[ANN], file=str(file))
    assert not file.exists()


def _while_replacing(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Does something at the moment before the file is replaced."""
    keep_rights = whole_files._keep_rights

    def hooked(*given: Any) -> None:
        keep_rights(*given)
        do()

    monkeypatch.setattr(whole_files, "_keep_rights", hooked)


def test_a_change_that_another_program_makes_meanwhile_is_not_lost(
    runner: Runner, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("# one\n")
    left = [b"# two\n", b"# one, two and three\n"]
    _while_replacing(monkeypatch, lambda: left and file.write_bytes(left.pop()))
    runner.run(login="ann", add=[ANN], file=str(file))
    assert file.read_text() == f'# two\n"{ANN}" ann\n'


def test_a_program_that_goes_on_changing_the_file_is_not_fought(
    runner: Runner, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter(range(1000))
    _while_replacing(monkeypatch, lambda: file.write_text("#" * next(turns)))
    with pytest.raises(Transient, match="goes on changing"):
        runner.run(login="ann", add=[ANN], file=str(file))


def test_a_file_that_is_not_as_wanted_afterwards_is_in_doubt(
    runner: Runner, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = whole_files._sync_folder
    monkeypatch.setattr(whole_files, "_sync_folder", lambda folder: (sync(folder), file.write_text("# mine now\n")))
    with pytest.raises(InDoubt, match="another program"):
        runner.run(login="ann", add=[ANN], file=str(file))


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (errno.ENOSPC, BackendUnavailable),
        (errno.EROFS, BackendUnavailable),
        (errno.ESTALE, BackendUnavailable),
        (errno.EIO, BackendUnavailable),
        (errno.EACCES, ActionError),
    ],
)
def test_what_a_file_system_says(
    runner: Runner, file: Path, number: int, wanted: type[ActionError], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(FOREIGN)

    def refuse(*given: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ActionError, match=os.strerror(number)) as caught:
        runner.run(login="ann", add=[ANN], file=str(file))
    assert type(caught.value) is wanted
    assert file.read_bytes() == FOREIGN
    assert {path.name for path in file.parent.iterdir()} == {"grid-mapfile", ".grid-mapfile.lock"}


def test_paths_that_are_no_file_are_refused(runner: Runner, tmp_path: Path) -> None:
    for path in ("relative", "", "/", f"{tmp_path}/", str(tmp_path), f"{tmp_path}/no/folder", "/dev/null", "/a\0b"):
        with pytest.raises(ActionError):
            runner.run(login="ann", add=[ANN], file=path)


def test_exact_stands_alone(runner: Runner, file: Path) -> None:
    with pytest.raises(ActionError, match="cannot be given together"):
        runner.plan(login="ann", add=[ANN], exact=[BEA], file=str(file))
    with pytest.raises(ActionError, match="added and removed"):
        runner.plan(login="ann", add=[ANN], remove=[ANN], file=str(file))


def test_the_file_is_the_only_witness() -> None:
    assert grid_mapfile.doubt({"login": "ann"}) is Doubt.PROBE


def test_hostile_dns_open_no_other_login_and_hide_no_line(runner: Runner, file: Path) -> None:
    file.write_text(f'"{BEA}" bea\n')
    ends = ('" root\n"/CN=x', "x\\", 'x" root #', "x\n/CN=evil root\n", "x\r\n/CN=evil root", "x\x85y", "\\x22 root")
    dns = [f"/CN=a{value}" for value in (*VALUES, *ends) if len(value.encode()) < 200]
    runner.run(login="ann", add=dns, file=str(file))
    text = file.read_bytes()
    assert text.startswith(f'"{BEA}" bea\n'.encode())
    lines = text.split(b"\n")[1:-1]
    assert len(lines) == len(set(dns))
    assert all(line.startswith(b'"/CN=a') and line.endswith(b'" ann') and line.count(b'"') == 2 for line in lines)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text)
    nobodys = [("/CN=evil", "root"), ("/CN=x", "root"), *((dn, "root") for dn in dns)]
    assert may_use(file, [(BEA, "bea"), *nobodys]) == [True, *(False for _ in nobodys)]
    shown = [(_as_services_show_it(dn), "ann") for dn in dns if "/" not in dn[1:]]
    assert [dn for (dn, _), known in zip(shown, may_use(file, shown), strict=True) if not known] == []
    runner.run(login="ann", remove=dns, file=str(file))
    assert file.read_text() == f'"{BEA}" bea\n'


def _as_services_show_it(dn: str) -> str:
    """The DN as it comes out of a certificate: OpenSSL's one-line form, in which odd bytes are written out."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02X}" for byte in dn.encode())


@pytest.mark.parametrize("dn", ["/CN=" + "x" * 1000, "/CN=a\0b", "", "\ud800"])
def test_a_dn_that_no_file_can_hold_is_refused_before_a_dry_run_promises_it(
    runner: Runner, file: Path, dn: str
) -> None:
    with pytest.raises(ActionError) as caught:
        runner.plan(login="ann", add=[dn], file=str(file), dry=True)
    assert "\n" not in str(caught.value)


def test_hostile_logins_and_paths_are_refused(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "grid-mapfile"
    for value in HOSTILE:
        for given in ({"login": value, "file": str(file)}, {"login": "ann", "file": f"relative{value}"}):
            params, problems = check_params(runner.schema, {**given, "add": [ANN]})
            if problems:
                continue
            try:
                surroundings = runner.surroundings()
                plan = grid_mapfile.plan(params, grid_mapfile.probe(params, surroundings), surroundings)
            except ActionError:
                continue
            (change,) = plan.changes
            assert change.after == {"dn": ANN, "login": value}
            assert value.replace("0x0", "x").isalnum(), value
    assert list(tmp_path.iterdir()) == []


_DIE = """
import os, signal, sys
from amierules.ports import whole_files
{patch} = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
whole_files.rewrite(sys.argv[1], lambda content: content + b'"/CN=new" ann\\n', wait=10)
"""


@pytest.mark.parametrize(
    ("patch", "is_new"), [("os.fsync", False), ("os.replace", False), ("whole_files._sync_folder", True)]
)
def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new_one(
    runner: Runner, file: Path, patch: str, is_new: bool
) -> None:
    file.write_bytes(FOREIGN + b"\n")
    died = subprocess.run([sys.executable, "-c", _DIE.format(patch=patch), str(file)], timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert file.read_bytes() == FOREIGN + b"\n" + (b'"/CN=new" ann\n' if is_new else b"")
    runner.run(login="bea", add=[BEA], file=str(file))
    assert file.read_text().splitlines()[-1] == f'"{BEA}" bea'
    assert {path.name for path in file.parent.iterdir()} == {"grid-mapfile", ".grid-mapfile.lock"}


_WRITE = """
import sys
from amierules.ports import whole_files
for turn in range(20):
    whole_files.rewrite(sys.argv[1], lambda content: content + b"%s %d\\n" % (sys.argv[2].encode(), turn), wait=60)
"""


def test_processes_at_once_lose_nothing(file: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITE, str(file), f"writer{number}"]) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    wanted = {f"writer{number} {turn}" for number in range(4) for turn in range(20)}
    assert set(file.read_text().splitlines()) == wanted
