"""What amierules does with the same backlog: the engine that `amierules run` starts, in this process."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path

from amierules.cli.opening import open_site
from amierules.database.intake import SWEEP_EVERY
from amierules.engine.group import LARGEST
from amierules.engine.planning import Planner
from amierules.engine.running import Runner
from amierules.engine.site import Site
from benchmarks.backlog import CENTRAL, REQUEST, RESOURCE, SITE

_CONFIGURATION = """\
site_name: {site}
remote_site_name: {central}
database: {url}
resources: {{{resource}: {{cluster: alpha}}}}
"""
_REPLY = """\
    reply:
      copy: [UserFirstName, UserMiddleName, UserLastName, UserOrganization, UserOrgCode, ResourceList]
      fields:
        ProjectID: "{{ packet.GrantNumber }}"
        UserPersonID: "{{ packet.UserPersonID }}"
        UserRemoteSiteLogin: "{{ packet.UserRequestedLoginList | first }}"
        UserDnList: "{{ packet.UserDnList }}"
        AccountActivityTime: "{{ now() }}"
"""
_COMMAND = """\
    actions:
      - {{name: a program, command: {{run: [sleep, "{seconds}"], unless: {{run: ["false"]}}}}}}
"""


def write_site(folder: Path, url: str, *, seconds: float | None = None) -> Path:
    """Writes a site whose only rule answers from the packet's own fields, after a command of so many `seconds` if
    they are given; returns the configuration's path.
    """
    (folder / "rules").mkdir(parents=True)
    configuration = folder / "amierules.yaml"
    text = _CONFIGURATION.format(site=SITE, central=CENTRAL, url=url, resource=RESOURCE)
    configuration.write_text(text, encoding="utf-8")
    actions = "" if seconds is None else _COMMAND.format(seconds=seconds)
    rule = f"packet: {REQUEST}\nrules:\n  - name: answer\n{actions}{_REPLY}"
    (folder / "rules" / f"{REQUEST}.yaml").write_text(rule, encoding="utf-8")
    return configuration


def take_in(configuration: Path, count: int) -> Callable[[], int]:
    """Gives all new packets a work row, `count` of them; returns how many."""
    site = _opened(configuration)

    def measured() -> int:
        with site.database.kept():
            return _must_be(Runner(site).take_in(), count)

    return measured


def run(configuration: Path, limit: int, together: int = LARGEST, jobs: int = 1) -> Callable[[], int]:
    """Answers packets that are taken in, at most `limit`, works on `jobs` at a time, and commits up to `together` of
    them at once; returns how many. Each that is touched must end done.

    One of several workers may get fewer: what another has under way it leaves alone. All is taken in already, so that a
    quick pass suffices.
    """
    site = _opened(configuration)

    def measured() -> int:
        runner = Runner(site, commit_together=together, jobs=jobs, sweep_every=SWEEP_EVERY)
        handled = runner.run(limit=limit)
        return _must_be(sum(1 for one in handled if one.status == "done"), len(handled))

    return measured


def plan(configuration: Path, limit: int) -> Callable[[], int]:
    """Plans the packets that wait, `limit` of them; returns how many."""
    site = _opened(configuration)

    def measured() -> int:
        plans = islice(Planner(site).waiting(), limit)
        return _must_be(sum(1 for one in plans if one.decision.kind == "reply"), limit)

    return measured


def quick_passes(configuration: Path, times: int) -> Callable[[], int]:
    """Looks `times` for new packets where there are none, and nobody commits anything; returns how often."""
    return _passes(configuration, times, SWEEP_EVERY)


def first_quick_passes(configuration: Path, times: int) -> Callable[[], int]:
    """As `quick_passes`, each of a worker that cannot know that nothing was committed since it last looked."""
    site = _opened(configuration)
    Runner(site, sweep_every=SWEEP_EVERY).take_in()

    def measured() -> int:
        with site.database.kept():
            for _ in range(times):
                _must_be(Runner(site, sweep_every=SWEEP_EVERY).take_in(), 0)
        return times

    return measured


def sweeps(configuration: Path, times: int) -> Callable[[], int]:
    """Looks `times` at all packets where nothing has changed; returns how often."""
    return _passes(configuration, times, timedelta())


def _passes(configuration: Path, times: int, sweep_every: timedelta) -> Callable[[], int]:
    site = _opened(configuration)
    runner = Runner(site, sweep_every=sweep_every)
    runner.take_in()

    def measured() -> int:
        with site.database.kept():
            for _ in range(times):
                _must_be(runner.take_in(), 0)
        return times

    return measured


def idle(configuration: Path, times: int) -> Callable[[], int]:
    """Runs `times` where there is nothing to do; returns how often."""
    site = _opened(configuration)

    def measured() -> int:
        with site.database.kept():
            for _ in range(times):
                _must_be(len(Runner(site).run()), 0)
        return times

    return measured


_OPEN = ExitStack()
"""What this process has opened: it is closed with the process."""


def _opened(configuration: Path) -> Site:
    """The site as the commands open it."""
    return _OPEN.enter_context(open_site(configuration, create=True, acting="run@benchmark"))


def _must_be(found: int, wanted: int) -> int:
    if found != wanted:
        raise RuntimeError(f"{found} packets where it should be {wanted}: a quick failure is no speed")
    return found
