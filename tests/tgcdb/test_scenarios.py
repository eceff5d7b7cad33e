"""A site that does all well is told so: each scenario comes to what it says, and no rule is broken."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from amierules.tgcdb.report import Report, make_report
from amierules.tgcdb.scenarios import scenarios
from amierules.tgcdb.traffic import Traffic
from tests.support.model_site import NOW, RESOURCES, SITE, a_table

PLAYED = [name for name, one in scenarios().items() if not one.lasting]


def _as_expected(report: Report) -> bool:
    return all(line.transaction.expects in (None, line.transaction.state) for line in report.lines)


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize("lenient", [True, False], ids=["rest", "database"])
def test_a_scenario_with_a_site_that_does_all_well(name: str, lenient: bool) -> None:
    table = a_table(lenient=lenient)
    report = table.play(name)
    assert [f"{one.rule} {one.message}" for one in report.wrong] == []
    assert _as_expected(report)
    assert table.central.agenda.unfinished(SITE) == 0
    sent = [line.packets[0].type for line in report.lines if line.transaction.step is not None]
    assert len(sent) == len(scenarios()[name].steps_on(RESOURCES))


def test_the_official_scenarios_send_what_the_official_test_server_sends() -> None:
    sent = {
        name: [step["send"].removeprefix("request_") for step in scenarios()[name].steps_on(("one.example",))]
        for name, one in scenarios().items()
        if one.official
    }
    assert sent == {
        "request_project_reactivate": ["project_create", "project_inactivate", "project_reactivate"],
        "request_account_reactivate": ["project_create", "account_create", "account_inactivate", "account_create"],
        "request_person_merge": ["project_create", "account_create", "account_create", "person_merge"],
        "request_user_modify": ["project_create", "user_modify", "user_modify"],
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_traffic_with_a_site_that_does_all_well(seed: int) -> None:
    table = a_table()
    steps = Traffic(seed, projects=5, days=30).steps(len(RESOURCES), NOW)
    table.central.agenda.begin(SITE, "traffic", steps, seed, RESOURCES)
    table.until_quiet()
    report = make_report(table.central.store, SITE, NOW)
    assert [f"{one.rule} {one.message}" for one in report.wrong] == []
    assert {line.transaction.state for line in report.lines} == {"completed"}
    assert len(report.lines) >= len(steps) >= 15


@pytest.mark.parametrize("seed", range(20))
def test_traffic_ends_no_account_that_nobody_has_asked_for_yet(seed: int) -> None:
    steps = Traffic(seed, projects=30, days=30).steps(len(RESOURCES), NOW)
    ended = [step for step in steps if step["send"] == "request_account_inactivate"]
    assert ended
    for step in ended:
        asked = [one for one in _before(steps, step) if one["send"] == "request_account_create"]
        assert (step["person"], step["project"]) in {(one["person"], one["project"]) for one in asked}


def _before(steps: Sequence[Mapping[str, Any]], step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The steps that are over when this one is sent."""
    while step["after"] is not None and step["when"] == "over":
        step = steps[step["after"]]
        yield step


def test_the_same_seed_makes_up_the_same_traffic_and_another_one_other_traffic() -> None:
    first, again, other = (Traffic(seed, 20, 30).steps(2, NOW) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_packet_that_is_listed_again_comes_again_after_its_answer() -> None:
    table = a_table()
    steps = scenarios()["listed_again"].steps_on(RESOURCES)
    table.central.agenda.begin(SITE, "listed_again", steps, 1, RESOURCES)
    (packet,) = table.waiting()
    reply = table.site.answer(packet)
    assert reply is not None
    assert table.send(packet["header"]["packet_rec_id"], *reply).packet_rec_id is not None
    listed = [[one["type"] for one in table.waiting()].count("request_project_create") for _ in range(4)]
    assert listed == [1, 1, 1, 0]


def test_the_central_database_may_fail_or_fall_silent() -> None:
    failed = a_table().play("central_failure")
    assert [line.transaction.state for line in failed.lines] == ["failed"]
    silent = a_table().play("central_silence")
    assert [line.transaction.state for line in silent.lines] == ["in-progress"]
    assert silent.lines[0].waits_for is None


def test_a_user_of_an_inactive_project_is_inactivated_by_a_request_of_its_own() -> None:
    report = a_table().play("inactive_project")
    assert "request_account_inactivate" in [line.packets[0].type for line in report.lines]
