"""The shipped rules with accounts made by the site's own command: a real one, on the real shadow-utils."""

from pathlib import Path

import pytest

from amierules.actions.base import expected
from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support import sites
from tests.support.crash_kinds import OUTSIDE
from tests.support.deaths import at_point, run_in_process
from tests.support.hostile import HOSTILE
from tests.support.policy import ANN, BO, locked, send
from tests.support.shadow import ScratchRoot, host_digest
from tests.support.sites import BETA, load, plan, rac, rai, rar, reason_of, rpc, rpi, rpm, rpr, rum, run, status_of

COMMAND = Path(__file__).parents[1] / "support" / "shadow-accounts"
GROUP = "p-xyz259276"
CHANGES = ("add-group", "add", "modify", "open", "lock", "join", "leave")


@pytest.fixture
def root(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot.make(tmp_path / "root")


@pytest.fixture
def site(tmp_path: Path, root: ScratchRoot) -> Site:
    return make(tmp_path, root)


def make(folder: Path, root: ScratchRoot, database: str = "sqlite://", **settings: object) -> Site:
    told = folder / "told"
    told.touch()
    words = ["env", f"ACCOUNTS_ROOT={root.path}", f"ACCOUNTS_LOG={told}", "sh", str(COMMAND)]
    given = {**sites.SETTINGS, "accounts": "command", "accounts_command": words, **settings}
    ids = {**sites.IDS, "gid": {"range": [40000, 49999]}}
    return sites.make_site(Database.open(database, create=True), folder / "site", settings=given, ids=ids)


def done(site: Site, *packets: dict[str, object]) -> None:
    for packet in packets:
        got = send(site, packet)
        assert got.status == "done", got


def changes(site: Site) -> list[str]:
    """The calls that changed something."""
    told = site.configuration.base.parent / "told"
    return [line for line in told.read_text(encoding="utf-8").splitlines() if line.split()[0] in CHANGES]


def test_a_project_and_an_account_bring_logins_and_a_group(site: Site, root: ScratchRoot) -> None:
    untouched = host_digest()
    done(site, rpc(), rac({"UserMiddleName": "B"}))
    bo, ann, group = root.line("passwd", "bsample"), root.line("passwd", "annex"), root.line("group", GROUP)
    assert bo is not None
    assert ann is not None
    assert group is not None
    assert (bo[2], bo[3], bo[4]) == (BO, "40000", "Bo Sample")
    assert (ann[2], ann[3], ann[4]) == (ANN, "40000", "Ann B Example")
    assert (group[2], group[3]) == ("40000", "bsample,annex")
    assert (locked(root, "bsample"), locked(root, "annex")) == (False, False)
    assert host_digest() == untouched
    assert changes(site) == [
        f"add-group {GROUP} 40000",
        f"add bsample {BO} {GROUP} --name=Bo Sample",
        "open bsample",
        f"join bsample {GROUP}",
        f"add annex {ANN} {GROUP} --name=Ann B Example",
        "open annex",
        f"join annex {GROUP}",
    ]


def test_a_dry_run_shows_the_calls_that_a_run_makes(site: Site) -> None:
    load(site, rpc())
    (report,) = plan(site)
    argvs = [change.argv or () for step in report.steps if step.kind == "command" for change in step.changes]
    shown = [" ".join(str(expected(word)) for word in argv).partition(f"{COMMAND} ")[2] for argv in argvs]
    assert report.decision.kind == "reply", report.decision
    assert changes(site) == []
    run(site)
    assert shown == changes(site)


def test_the_same_again_changes_nothing(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac())
    before = changes(site)
    load(site, rac(), rpc({"ResourceList": [BETA]}))
    reports = plan(site)
    states = [step.state for step in reports[0].steps if step.kind == "command" and step.state != "skipped"]
    assert states == ["present"] * 5
    run(site)
    assert changes(site) == before


def test_a_login_is_locked_only_if_no_other_account_is_open(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rpc({"ResourceList": [BETA]}), rac({"ResourceList": [BETA]}), rai({"PersonID": ANN}))
    assert (locked(root, "annex"), root.groups_of("annex")) == (False, {GROUP})
    done(site, rai({"PersonID": ANN, "ResourceList": [BETA]}))
    assert (locked(root, "annex"), root.groups_of("annex")) == (True, set())
    done(site, rar({"PersonID": ANN}))
    assert (locked(root, "annex"), root.groups_of("annex")) == (False, {GROUP})


def test_a_project_that_is_stopped_and_comes_back_for_its_pi(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rpi())
    assert (locked(root, "bsample"), locked(root, "annex")) == (True, True)
    assert (root.groups_of("bsample"), root.groups_of("annex")) == (set(), set())
    done(site, rpr())
    assert (locked(root, "bsample"), locked(root, "annex")) == (False, True)
    assert (root.groups_of("bsample"), root.groups_of("annex")) == ({GROUP}, set())


def test_on_an_inactive_project_a_new_login_is_locked_and_in_no_group(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rpi(), rac())
    assert (locked(root, "annex"), root.groups_of("annex")) == (True, set())


def test_a_new_name_reaches_the_command(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac())
    done(site, rum({"PersonID": ANN, "FirstName": "Ann", "LastName": "Sampler:x"}))
    assert changes(site)[-1] == "modify annex --name=Ann Sampler:x"
    line = root.line("passwd", "annex")
    assert line is not None
    assert line[4] == "Ann Sampler x"


def test_a_merge_locks_the_other_login_where_the_site_wants_that(tmp_path: Path, root: ScratchRoot) -> None:
    site = make(tmp_path, root, merge="merge")
    done(site, rpc(), rac(), rpc({"GrantNumber": "G2", "PiPersonID": ANN, "PiGlobalID": "90011"}), rpm())
    assert (locked(root, "annex"), locked(root, "bsample")) == (True, False)
    assert root.groups_of("bsample") == {GROUP, "p-g2"}


def test_a_merged_login_goes_on_where_the_site_wants_that_and_is_locked_with_the_other(
    site: Site, root: ScratchRoot
) -> None:
    done(site, rpc(), rac(), rpm())
    assert (locked(root, "bsample"), locked(root, "annex")) == (False, False)
    done(site, rpi())
    assert (locked(root, "bsample"), locked(root, "annex")) == (True, True)


def test_somebody_else_s_login_is_never_taken(site: Site, root: ScratchRoot) -> None:
    before = root.line("passwd", "lister")
    got = send(site, rpc({"PiRequestedLoginList": ["lister"]}))
    assert got.status == "held"
    assert "useradd: user 'lister' already exists" in got.reason
    assert root.line("passwd", "lister") == before


@pytest.mark.parametrize("point", OUTSIDE)
def test_after_a_crash_the_command_is_asked_and_nothing_is_done_twice(
    tmp_path: Path, root: ScratchRoot, point: str
) -> None:
    site = make(tmp_path, root, f"sqlite:///{tmp_path}/amie.db")
    (number,) = load(site, rpc())
    site.database.close()
    assert run_in_process(site, crash_point=at_point(point, 2))
    assert not run_in_process(site)
    assert status_of(site, number) == "done", reason_of(site, number)
    assert [line.split()[0] for line in changes(site)] == ["add-group", "add", "open", "join"]


def test_names_are_data_to_the_command(tmp_path: Path, root: ScratchRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    working = tmp_path / "working-folder"
    working.mkdir()
    monkeypatch.chdir(working)
    site = make(tmp_path, root)
    names = [text for text in HOSTILE if "\x00" not in text and "\n" not in text and text.isprintable()][::8]
    assert len(names) > 15
    done(site, rpc())
    for name in names:
        (number,) = load(site, rum({"PersonID": BO, "FirstName": name, "LastName": "Sample"}))
        run(site)
        assert status_of(site, number) in ("done", "parked"), reason_of(site, number)
        if status_of(site, number) == "done":
            assert changes(site)[-1] == f"modify bsample --name={name} Sample"
    assert list(working.iterdir()) == []
    passwd = (root.path / "etc" / "passwd").read_text(encoding="utf-8").splitlines()
    assert [line.count(":") for line in passwd] == [6] * 3
