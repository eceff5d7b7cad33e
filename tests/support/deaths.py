"""Processes that die for tests: forks of this one that connect to the database, run the engine, and get a SIGKILL."""

import gc
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from amierules.engine.running import Runner
from amierules.engine.site import CrashPoint, Site

KILLS = "kills"
"""The property under which tests record how many processes they killed: database, kind, point, number."""

_ENDED, _FAILED = 0, 1
_RUN = "import sys; from amierules.cli.main import main; sys.argv = ['amierules', 'run']; main()"


def passing(point: str, passage: int, what: Callable[[], object]) -> CrashPoint:
    """What does `what` where the point is passed for the `passage`-th time."""
    passed = 0

    def crash_point(name: str) -> None:
        nonlocal passed
        passed += name == point
        if name == point and passed == passage:
            what()

    return crash_point


def at_point(point: str, passage: int = 1) -> CrashPoint:
    """What kills this process where it passes the point for the `passage`-th time."""
    return passing(point, passage, lambda: os.kill(os.getpid(), signal.SIGKILL))


def run_in_process(
    site: Site,
    ids: Collection[int] | None = None,
    *,
    crash_point: CrashPoint = lambda name: None,
    first: Callable[[], None] = lambda: None,
    kill_after: float | None = None,
) -> bool:
    """Runs the engine in a process of its own; whether SIGKILL ended it. It must not fail in any other way.

    `first` is called in the process before it begins; `kill_after` so many seconds it is killed from outside. No
    connection to the site's database may be open: the process makes its own.
    """

    def work() -> str:
        first()
        handled = Runner(site, crash_point=crash_point).run(ids)
        return "".join(one.report.crash for one in handled if one.report.crash)

    return in_process(work, kill_after)


def in_process(work: Callable[[], str], kill_after: float | None = None) -> bool:
    """Does `work` in a process of its own; whether SIGKILL ended it. It fails where `work` returns any text."""
    gc.freeze()  # else the collector of the new process looks at all that this one has, and copies its pages
    process = os.fork()
    if process == 0:
        _child(work)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    ended = os.waitstatus_to_exitcode(status)
    assert ended in (_ENDED, -signal.SIGKILL), f"the process ended with {ended}: see its traceback"
    return ended == -signal.SIGKILL


def kill_run(folder: Path, url: str, begun: Callable[[], bool]) -> None:
    """Runs `amierules run` in a site's folder, as a process of its own, and kills it once what it shall do is begun."""
    environment = {"AMIERULES_DATABASE": url, "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen([sys.executable, "-c", _RUN], cwd=folder, env=environment) as engine:
        until = time.monotonic() + 60
        while not begun():
            assert engine.poll() is None, "the run has ended"
            assert time.monotonic() < until, "it is not begun"
            time.sleep(0.02)
        engine.kill()


def _child(work: Callable[[], str]) -> None:
    """All that the process does; whatever happens, it never goes on with the test."""
    status = _FAILED
    try:
        said = work()
        print(said, file=sys.stderr)
        status = _FAILED if said else _ENDED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def table(recorded: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table of all recorded kills: kinds by points, over both databases."""
    kills: Counter[tuple[str, str, str]] = Counter()
    for database, kind, point, count in recorded:
        kills[str(database), str(kind), str(point)] += int(str(count))
    if not kills:
        return
    kinds, points = sorted({kind for _, kind, _ in kills}), list(dict.fromkeys(point for _, _, point in kills))
    yield f"{kills.total()} processes killed by SIGKILL: " + ", ".join(
        f"{sum(kills[key] for key in kills if key[0] == database)} on {database}"
        for database in sorted({database for database, _, _ in kills})
    )
    yield from (f"{number:>4} {point}" for number, point in enumerate(points, 1))
    width = max(map(len, kinds))
    yield " " * width + "".join(f"{number:>5}" for number in range(1, len(points) + 1))
    for kind in kinds:
        counts = [sum(kills[key] for key in kills if key[1:] == (kind, point)) for point in points]
        yield f"{kind:<{width}}" + "".join(f"{count or '-':>5}" for count in counts)
