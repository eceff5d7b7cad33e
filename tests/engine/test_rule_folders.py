"""A site's own folder of rules before the shipped one: what it has replaces, all else answers as shipped."""

from collections.abc import Mapping

import pytest

from amierules.engine.site import Site
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from tests.support.sites import (
    MakeSite,
    complete_projects,
    load,
    plan,
    rac,
    reason_of,
    registry,
    rpc,
    rpi,
    run,
    status_of,
    steps_of,
)

SHIPPED = ROOT / "rules"
REFUSES = """
packet: request_project_inactivate
rules:
  - {name: ours, hold: "{{ packet.ProjectID }} is ours"}
"""
OWN_PERSON = """
block: ensure_person
description: Persons as this site has them.
params: {}
actions:
  - name: ours
    person: {attributes: "{{ subject }}", login_from: ["x{{ subject.LastName }}"], data: {made_by: us}}
  - name: welcome
    use: welcome
"""
WELCOME = """
block: welcome
description: A block that only the site has.
params: {}
actions:
  - {name: dn, person: {add_dns: ["/CN={{ person.login }}"]}}
"""
OTHER_PARAMETERS = """
block: ensure_person
description: The same name, and not the same parameters.
params: {office: {description: Where the person sits.}}
actions:
  - {name: ours, person: {attributes: "{{ subject }}", data: {office: "{{ office }}"}}}
"""


def _site(make: MakeSite, files: Mapping[str, str]) -> Site:
    return make(files, later_rules=[SHIPPED])


def test_a_rule_file_replaces_the_shipped_one_and_the_others_answer(make: MakeSite) -> None:
    site = _site(make, {"inactivate.yaml": REFUSES})
    project, stop = load(site, rpc(), rpi())
    run(site)
    assert status_of(site, project) == "done"
    assert reason_of(site, stop) == "P-XYZ259276 is ours"


def test_a_block_replaces_the_shipped_one_in_shipped_rules(make: MakeSite) -> None:
    site = _site(make, {"blocks/ensure_person.yaml": OWN_PERSON, "blocks/welcome.yaml": WELCOME})
    project, account = load(site, rpc(), rac())
    (first, _) = plan(site)
    assert [step.path for step in first.steps][:2] == ["PI/ours", "PI/welcome/dn"]
    for _ in range(2):
        run(site)
        complete_projects(site)
    assert (status_of(site, project), status_of(site, account)) == ("done", "done")
    pi = registry(site).find_person(login="xsample")
    assert pi is not None
    assert (pi.data["made_by"], "/CN=xsample" in pi.dns) == ("us", True)
    assert {"PI/ours", "PI/welcome/dn", "project"} <= set(steps_of(site, project))


def test_a_folder_with_blocks_alone_is_not_warned_of(make: MakeSite) -> None:
    site = _site(make, {"blocks/ensure_person.yaml": OWN_PERSON, "blocks/welcome.yaml": WELCOME})
    _, findings = load_rulebook(site.configuration.rules, site.schemas, Environment())
    assert [finding.code for finding in findings] == ["replaced"]


def test_a_shipped_file_that_is_replaced_need_not_fit_the_sites_blocks(make: MakeSite) -> None:
    own = "packet: [request_project_create, request_account_create]\nrules:\n  - name: a\n    actions:\n"
    own += "      - {name: p, use: ensure_person, with: {office: '7'}}\n"
    own += "    complete: x\n"
    site = _site(make, {"blocks/ensure_person.yaml": OTHER_PARAMETERS, "create.yaml": own})
    (number,) = load(site, rpc())
    run(site)
    assert status_of(site, number) == "done"
    pi = registry(site).find_person(global_id="90022")
    assert pi is not None
    assert pi.data["office"] == "7"


def test_one_that_is_used_must(make: MakeSite) -> None:
    with pytest.raises(AssertionError, match="office"):
        _site(make, {"blocks/ensure_person.yaml": OTHER_PARAMETERS})


def test_a_broken_file_of_the_site_is_not_answered_by_the_shipped_one(make: MakeSite) -> None:
    site = make({"inactivate.yaml": REFUSES.replace("hold", "hodl")}, later_rules=[SHIPPED], may_be_broken=True)
    project, stop = load(site, rpc(), rpi())
    run(site)
    assert status_of(site, project) == "done"
    assert status_of(site, stop) == "parked"
    assert "inactivate.yaml is invalid" in reason_of(site, stop)
