"""What a dry run prints is what a run then does: the same steps, the same changes, the same reply."""

import random
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.decision import PacketReport
from amierules.engine.plan_json import as_json
from amierules.engine.site import Site
from tests.support.policy import with_slurm
from tests.support.shadow import ScratchRoot
from tests.support.sites import (
    ALPHA,
    BETA,
    NOW,
    SETTINGS,
    dac,
    decision,
    itc,
    load,
    make_site,
    plan,
    rac,
    rai,
    rar,
    replies_to,
    rpc,
    rpi,
    rpm,
    rpr,
    rum,
    run,
    set_clock,
    steps_of,
    work_of,
)
from tests.support.slurm import SlurmServer

_FINAL = ("done", "failed", "ignored")


def _agrees(planned: object, done: object) -> bool:
    """Whether a planned value is the one that came to be; one that is known after apply may be anything."""
    if isinstance(planned, dict) and "unknown" in planned:
        return "expected" not in planned or _agrees(planned["expected"], done)
    if isinstance(planned, dict) and isinstance(done, dict):
        return planned.keys() == done.keys() and all(
            _agrees(_words(planned[key]) if key == "argv" else planned[key], done[key]) for key in planned
        )
    if isinstance(planned, list) and isinstance(done, list):
        return len(planned) == len(done) and all(map(_agrees, planned, done))
    return planned == done


def _words(planned: Any) -> Any:
    """An argument list; a number that is known after apply will be a word of it."""
    return [
        {**word, "expected": str(word["expected"])} if isinstance(word, dict) and "expected" in word else word
        for word in planned
    ]


def _without_summaries(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A summary may name what is known after apply."""
    return [{name: value for name, value in change.items() if name not in ("summary", "target")} for change in changes]


def _compare(site: Site, packet: int, planned: PacketReport, ran: PacketReport) -> None:
    before, after = (as_json([report])["packets"][0] for report in (planned, ran))
    assert before["rule"] == after["rule"]
    assert before["outcome"]["kind"] == after["outcome"]["kind"], (before["outcome"], after["outcome"])
    paths = [[step["path"] for step in report["actions"]] for report in (before, after)]
    assert paths[0] == paths[1]
    expected = {
        step["path"]: _without_summaries(step["changes"]) for step in before["actions"] if step["state"] == "change"
    }
    assert not [step for step in before["actions"] if step["state"] == "unknown"]
    if work_of(site, packet).status in _FINAL:
        recorded = {
            path: _without_summaries(row.changes) for path, row in steps_of(site, packet).items() if row.changes
        }
        assert expected.keys() == recorded.keys()
        for path, changes in expected.items():
            assert _agrees(changes, recorded[path]), (path, changes, recorded[path])
        body = before["outcome"]["body"]
        sent = [dict(reply.packet.body) for reply in replies_to(site, packet)]
        assert len(sent) == (before["outcome"]["kind"] in ("reply", "fail"))
        assert all(_agrees(body, one) for one in sent), (body, sent)


class _Traffic:
    """Packets as a central database might send them, about few persons and projects, so that they meet."""

    def __init__(self, seed: int, resources: tuple[str, ...]) -> None:
        self._random = random.Random(seed)
        self._resources = resources

    def packet(self) -> dict[str, Any]:
        often = [self._project, self._project, self._account, self._account, self._onproject, self._of_account]
        made = self._random.choice([*often, self._modify, self._answer, rpm, itc])
        return made()

    def _one_of(self, *values: Any) -> Any:
        return self._random.choice(values)

    def _grant(self) -> str:
        return str(self._one_of("G1", "G2", "G3"))

    def _person(self) -> str:
        return str(self._one_of("20000", "20001", "20002", "20003", "nobody"))

    def _resource(self) -> list[str]:
        return [self._one_of(*self._resources)]

    def _someone(self, prefix: str) -> dict[str, Any]:
        number = self._one_of(1, 2, 3, 4, 5)
        login = self._one_of([f"user{number}"], ["user"], [], ["9", "root"])
        return {
            f"{prefix}GlobalID": str(number),
            f"{prefix}FirstName": self._one_of("Ann", "Zoë", "-x", "$(id)"),
            f"{prefix}LastName": f"Name{number}",
            f"{prefix}RequestedLoginList": login,
            f"{prefix}DnList": self._one_of(None, [f"/CN={number}"], ["/CN=a", "/CN=b"]),
        }

    def _project(self) -> dict[str, Any]:
        types = ("new", "renewal", "extension", "supplement", "transfer", "advance", "adjustment", "gift")
        body = {
            "AllocationType": self._one_of(*types, "new", "new"),
            "GrantNumber": self._grant(),
            "ResourceList": self._resource(),
            "ServiceUnitsAllocated": self._one_of("100", "-5", "0", "7.25"),
            "StartDate": self._one_of("2026-02-01", "2026-02-01", "2026-08-01"),
            "RecordID": self._one_of(None, "R1", "R2", f"R{self._random.random()}"),
        }
        return rpc({**body, **self._someone("Pi")})

    def _account(self) -> dict[str, Any]:
        return rac({"GrantNumber": self._grant(), "ResourceList": self._resource(), **self._someone("User")})

    def _onproject(self) -> dict[str, Any]:
        return self._one_of(rpi, rpr)({"ProjectID": f"P-{self._grant()}", "ResourceList": self._resource()})  # type: ignore[no-any-return]

    def _of_account(self) -> dict[str, Any]:
        body = {"PersonID": self._person(), "ProjectID": f"P-{self._grant()}", "ResourceList": self._resource()}
        return self._one_of(rai, rar)(body)  # type: ignore[no-any-return]

    def _modify(self) -> dict[str, Any]:
        tags = {
            "FirstName": "New",
            "DnList": ["/CN=a", "/CN=c"],
            "ActionType": self._one_of("add", "replace", "delete"),
        }
        return rum({"PersonID": self._person(), **tags})

    def _answer(self) -> dict[str, Any]:
        return dac({"PersonID": self._person(), "ProjectID": f"P-{self._grant()}"})


def _check(site: Site, seed: int, packets: int, resources: tuple[str, ...] = (ALPHA, ALPHA, BETA, "elsewhere")) -> int:
    """Plans and runs packet after packet; returns how many were answered."""
    traffic = _Traffic(seed, resources)
    answered = 0
    for _ in range(packets):
        (packet,) = load(site, traffic.packet())
        set_clock(site, at=NOW)
        reports = {report.packet_rec_id: report for report in plan(site)}
        handled = run(site, [packet])
        if packet not in handled:
            assert reports[packet].decision.kind == "wait"
            continue
        _compare(site, packet, reports[packet], handled[packet].report)
        if work_of(site, packet).status in _FINAL:
            answered += 1
        else:
            # What stays open would keep all later packets of its project waiting.
            decision(site, packet, "fail", "the test goes on") if work_of(site, packet).status != "in_doubt" else None
    return answered


@pytest.mark.parametrize("seed", range(6))
def test_with_the_registry_alone(memory: Database, tmp_path: Path, seed: int) -> None:
    site = make_site(memory, tmp_path, None, settings={**SETTINGS, "blank_absent": seed % 2 == 0})
    assert _check(site, seed, 50) > 10


@pytest.mark.parametrize("seed", range(200, 204))
def test_with_a_grid_mapfile(memory: Database, tmp_path: Path, seed: int) -> None:
    settings = {**SETTINGS, "dns": "grid_mapfile", "merge": ("alias", "merge")[seed % 2]}
    file = {"file": str(tmp_path / "grid-mapfile")}
    site = make_site(memory, tmp_path / "site", None, settings=settings, grid_mapfile=file)
    assert _check(site, seed, 50) > 10


@pytest.mark.parametrize("seed", [100, 101])
def test_with_unix_accounts(memory: Database, tmp_path: Path, seed: int) -> None:
    root = ScratchRoot.make(tmp_path / "root")
    site = make_site(memory, tmp_path / "site", None, settings={**SETTINGS, "accounts": "shadow"}, prefix=root.path)
    assert _check(site, seed, 25) > 5


def test_with_slurm(tmp_path: Path, slurm: SlurmServer) -> None:
    site = with_slurm(tmp_path, slurm)
    assert _check(site, 200, 20, (ALPHA, ALPHA, ALPHA, "elsewhere")) > 5
