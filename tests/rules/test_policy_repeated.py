"""The same packets once more, from a restored AMIE database: nothing is done again, and the answers are the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amierules.database.rows import Account, Person, Presence, Project, RegistryRow
from amierules.engine.site import Site
from tests.support.policy import ANN, BO, answer, with_accounts
from tests.support.shadow import ScratchRoot
from tests.support.sites import (
    ALPHA,
    BETA,
    dac,
    dpc,
    itc,
    know,
    load,
    plan,
    rac,
    rai,
    registry,
    rpc,
    rpi,
    rpr,
    rum,
    run,
)

IMPORTED: tuple[RegistryRow, ...] = (
    Person("cal", "C1", "555", logins=("cal",), uid=20050),
    Project("old", "P-OLD", "OLD", group="p-old", gid=40050),
    Presence("old", ALPHA, active=False),
    Account("cal", "old", ALPHA, "cal", active=False),
)


def packets() -> list[dict[str, Any]]:
    """Packets whose effects all still stand when the last is answered."""
    project: dict[str, Any] = {"transaction_id": 801, "trans_rec_id": 1}
    account: dict[str, Any] = {"transaction_id": 802, "trans_rec_id": 2}
    return [
        rpc(**project),
        rpc({"ResourceList": [BETA], "AllocationType": "renewal", "StartDate": "2026-06-01"}),
        dpc({"PersonID": BO, "DnList": ["/C=US/CN=Bo Sample"]}, **project, packet_id=2),
        rac(**account),
        dac({"PersonID": ANN, "DnList": ["/C=US/CN=Ann Example"]}, **account, packet_id=2),
        rum({"PersonID": BO, "FirstName": "Bo", "LastName": "Sample", "City": "Springfield"}),
        rum({"PersonID": ANN, "ActionType": "delete", "DnList": ["/CN=never there"]}),
        rpi({"ProjectID": "P-OLD"}),
        rai({"PersonID": "C1", "ProjectID": "P-OLD"}),
        rpr({"PersonID": BO}),
        itc(),
    ]


def all_rows(site: Site) -> Iterator[RegistryRow]:
    """Everything that the registry knows."""
    view = registry(site)
    accounts = view.accounts()
    yield from (person for key in {row.person for row in accounts} if (person := view.person(key)) is not None)
    for key in {row.project for row in accounts}:
        found = view.project(key)
        assert found is not None
        yield found
        for resource in (ALPHA, BETA):
            presence = view.presence(key, resource)
            yield from (presence,) if presence else ()
            yield from view.allocations(key, resource)
    yield from accounts


def play(site: Site, given: list[dict[str, Any]]) -> list[Any]:
    """Answers all packets; returns the replies."""
    ids = load(site, *given)
    run(site)
    answers = [answer(site, one) for one in ids]
    assert {one.status for one in answers} == {"done"}, answers
    return [(one.type, one.body) for one in answers]


def etc(root: ScratchRoot) -> dict[str, bytes]:
    """The account files."""
    return {name: (root.path / "etc" / name).read_bytes() for name in ("passwd", "shadow", "group", "gshadow")}


@pytest.fixture
def root(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot.make(tmp_path / "root")


def test_from_restored_amie_tables_nothing_is_planned_or_changed(tmp_path: Path, root: ScratchRoot) -> None:
    first, given = with_accounts(tmp_path / "site", root), packets()
    know(first, *IMPORTED)
    replies = play(first, given)
    files = etc(root)

    restored = with_accounts(tmp_path / "site", root)
    know(restored, *all_rows(first))
    for packet in given:
        (packet_rec_id,) = load(restored, packet)
        (report,) = plan(restored)
        assert [(step.path, step.changes) for step in report.steps if step.changes] == []
        assert {step.state for step in report.steps} <= {"present", "skipped"}
        handled = run(restored)[packet_rec_id]
        assert {step.state for step in handled.report.steps} <= {"present", "skipped"}
        reply = answer(restored, packet_rec_id)
        assert (reply.type, reply.body) == replies.pop(0)
    assert etc(root) == files
    assert set(map(repr, all_rows(restored))) == set(map(repr, all_rows(first)))


def test_where_the_registry_is_restored_too_the_unix_accounts_are_known_by_their_numbers(
    tmp_path: Path, root: ScratchRoot
) -> None:
    given = packets()
    replies, files = [], []
    for _ in range(2):
        site = with_accounts(tmp_path / "site", root)
        know(site, *IMPORTED)
        replies.append(play(site, given))
        files.append(etc(root))
    assert replies[0] == replies[1]
    assert files[0] == files[1]
