"""The shipped rules with a grid-mapfile: which certificates may use which login."""

from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support import sites
from tests.support.grid_security import may_use
from tests.support.policy import ANN, BO, answer, send
from tests.support.sites import (
    BETA,
    complete_projects,
    dac,
    load,
    plan,
    rac,
    rai,
    rar,
    registry,
    rpc,
    rpi,
    rpm,
    rpr,
    rum,
    run,
)

BO_DN, ANN_DN, OTHER = "/C=US/CN=Bo Sample", "/C=US/CN=Ann Example", "/DC=EDU/CN=annex"
BO_PACKET = {"PiDnList": [BO_DN]}
FOREIGN = b"# kept by hand\r\n/CN=robot robot"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "grid-mapfile").write_bytes(FOREIGN)
    return tmp_path / "grid-mapfile"


@pytest.fixture
def site(tmp_path: Path, file: Path) -> Site:
    return made(tmp_path, file)


def made(folder: Path, file: Path, **settings: Any) -> Site:
    """A site with the shipped rules that keeps the file."""
    given = {**sites.SETTINGS, "dns": "grid_mapfile", **settings}
    database = Database.open("sqlite://", create=True)
    return sites.make_site(database, folder / "site", settings=given, grid_mapfile={"file": str(file)})


def done(site: Site, *packets: dict[str, Any]) -> None:
    for packet in packets:
        got = send(site, packet)
        assert got.status == "done", got


def lines(file: Path) -> list[str]:
    """The lines of the file beside those that were there before."""
    content = file.read_bytes()
    assert content.startswith(FOREIGN)
    return content.removeprefix(FOREIGN).decode().splitlines()[1:]


def test_a_project_and_an_account_bring_their_dns(site: Site, file: Path) -> None:
    done(site, rpc(BO_PACKET), rac({"UserDnList": [ANN_DN, OTHER]}))
    assert lines(file) == [f'"{BO_DN}" bsample', f'"{ANN_DN}" annex', f'"{OTHER}" annex']
    asked = [(BO_DN, "bsample"), (ANN_DN, "annex"), (OTHER, "annex"), (BO_DN, "annex"), ("/CN=robot", "robot")]
    assert may_use(file, asked) == [True, True, True, False, True]


def test_dns_that_come_later_are_added_and_removed_ones_go(site: Site, file: Path) -> None:
    done(site, rpc({"PiDnList": []}), rac())
    (number,) = load(site, dac({"PersonID": ANN, "DnList": [OTHER]}, transaction_id=77))
    run(site)
    assert answer(site, number).status == "done"
    assert lines(file) == [f'"{ANN_DN}" annex', f'"{OTHER}" annex']
    done(site, rum({"PersonID": ANN, "FirstName": "Ann", "LastName": "Example", "DnList": [BO_DN]}))
    assert lines(file)[2:] == [f'"{BO_DN}" annex']
    done(site, rum({"PersonID": ANN, "ActionType": "delete", "DnList": [ANN_DN, BO_DN, "/CN=never"]}))
    assert lines(file) == [f'"{OTHER}" annex']


def test_a_login_without_an_active_account_is_open_to_no_certificate(site: Site, file: Path) -> None:
    done(site, rpc(BO_PACKET), rac(), rpc({"ResourceList": [BETA]}), rac({"ResourceList": [BETA]}))
    both = lines(file)
    assert len(both) == 2
    done(site, rai({"PersonID": ANN}))
    assert lines(file) == both
    done(site, rai({"PersonID": ANN, "ResourceList": [BETA]}))
    assert lines(file) == [f'"{BO_DN}" bsample']
    done(site, rum({"PersonID": ANN, "FirstName": "Ann", "LastName": "Example", "DnList": [OTHER]}))
    assert lines(file) == [f'"{BO_DN}" bsample']
    done(site, rar({"PersonID": ANN}))
    assert lines(file) == [f'"{BO_DN}" bsample', f'"{ANN_DN}" annex', f'"{OTHER}" annex']


def test_a_project_that_stops_closes_its_logins_and_opens_the_pis_alone(site: Site, file: Path) -> None:
    done(site, rpc(BO_PACKET), rac(), rpi())
    assert lines(file) == []
    done(site, rac({"UserRequestedLoginList": ["annex"]}))
    assert lines(file) == []
    done(site, rpr({"PersonID": BO}))
    assert lines(file) == [f'"{BO_DN}" bsample']


def test_no_login_of_a_merged_person_stays_open(site: Site, file: Path) -> None:
    done(site, rpc(BO_PACKET), rac(), rpm())
    assert len(lines(file)) == 2
    done(site, rpi())
    assert lines(file) == []
    done(site, rpr({"PersonID": BO}))
    assert sorted(lines(file)) == [f'"{ANN_DN}" bsample', f'"{BO_DN}" bsample']


@pytest.mark.parametrize(
    ("merge", "wanted"),
    [
        ("alias", [f'"{BO_DN}" bsample,annex', f'"{ANN_DN}" annex,bsample']),
        ("merge", [f'"{BO_DN}" bsample', f'"{ANN_DN}" bsample']),
    ],
)
def test_merged_persons_have_the_dns_of_both(tmp_path: Path, file: Path, merge: str, wanted: list[str]) -> None:
    site = made(tmp_path, file, merge=merge)
    done(site, rpc(BO_PACKET), rac(), rpm())
    assert sorted(lines(file)) == sorted(wanted)


def test_a_line_that_somebody_wrote_for_one_of_ours_stays(site: Site, file: Path) -> None:
    done(site, rpc(BO_PACKET))
    with file.open("ab") as opened:
        opened.write(b'"/CN=by hand" bsample\n')
    done(site, rum({"PersonID": BO, "FirstName": "Bo", "LastName": "Sample"}), rpi())
    assert lines(file) == ['"/CN=by hand" bsample']


def test_a_dry_run_says_what_the_run_does(site: Site, file: Path) -> None:
    for packet in (rpc(BO_PACKET), rac({"UserDnList": [ANN_DN, OTHER]}), rai({"PersonID": ANN}), rpi(), rpr()):
        load(site, packet)
        before = file.read_bytes()
        (report,) = plan(site)
        told = [
            (change.op, change.after or change.before)
            for step in report.steps
            if step.kind == "grid_mapfile"
            for change in step.changes
        ]
        assert file.read_bytes() == before
        run(site)
        complete_projects(site)
        gone, came = set(before.split(b"\n")) - set(file.read_bytes().split(b"\n")), set(lines(file))
        assert len(told) == len(gone) + len(came - set(before.decode().splitlines()))


def test_the_same_packets_again_change_nothing(site: Site, file: Path) -> None:
    done(site, rpc(BO_PACKET), rac())
    status = file.stat()
    done(site, rac())
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert registry(site).find_person(login="annex") is not None
