"""Deliberately wrong variants of the shipped rules: each is reported, with the number of the rule that it breaks."""

from pathlib import Path

import pytest

from tests.support.certifying import a_bench, a_site

RPC, RAC = "rules/request_project_create.yaml", "rules/request_account_create.yaml"
RPI, RAI = "rules/request_project_inactivate.yaml", "rules/request_account_inactivate.yaml"
NOT_OURS, LAST = "when: resource is none", "  - name: account on a project\n"
DATA = "rules/data_create.yaml"

PROJECT_ID = '        ProjectID: "{{ project.project_id }}"\n'
PI = '        PiPersonID: "{{ person.person_id }}"\n'
PI_LOGIN = '        PiRemoteSiteLogin: "{{ person.login }}"\n'
PI_DNS = '        PiDnList: "{{ person.dns }}"\n'
USER = '        UserPersonID: "{{ person.person_id }}"\n'
USER_LOGIN = '        UserRemoteSiteLogin: "{{ person.login }}"\n'
USER_DNS = '        UserDnList: "{{ person.dns }}"\n'
SEEN = '    reply: {fields: "{{ record.reply }}"}\n'
ANOTHER = """    reply:
      copy: [GrantNumber, PfosNumber, ResourceList]
      fields:
        ProjectID: "{{ record.reply.ProjectID }}"
        PiPersonID: "{{ record.reply.PiPersonID }}"
        PiRemoteSiteLogin: other
"""

REFUSED = """    fail: "{{ type }} for {{ packet.GrantNumber }}, which has no such allocation on {{ resource.name }}"
"""
DONE_NONETHELESS = """    reply:
      copy: [GrantNumber, PfosNumber, ResourceList]
      fields: {ProjectID: x, PiPersonID: "1", PiRemoteSiteLogin: x, PiDnList: "{{ packet.PiDnList }}"}
"""
OF_ACCOUNT = "    reply: {copy: [PersonID, ProjectID, ResourceList]}"
OF_PROJECT = "    reply: {copy: [ProjectID, ResourceList]}"

OF_ANOTHER = "    reply: {copy: [ResourceList], fields: {ProjectID: other}}"
OF_THE_PI = '    reply: {copy: [ProjectID, ResourceList], fields: {PersonID: "1"}}'

VARIANTS: list[tuple[str, str, str, str, str]] = [
    ("T15", "known_person", RPC, PROJECT_ID, PROJECT_ID + "        GrantNumber: ABC260001\n"),
    ("T15", "known_person", RPC, PROJECT_ID, PROJECT_ID + '        PfosNumber: "999"\n'),
    ("T38", "known_person", DATA, "    reply: {}", "    complete: it is known"),
    ("T19", "nothing_to_change", RPC, REFUSED, "    fail: failed\n"),
    ("T20", "known_person", RAC, PROJECT_ID, '        ProjectID: "{{ packet.GrantNumber }}"\n'),
    ("T21", "allocation_types", RPC, PROJECT_ID, '        ProjectID: "P-{{ packet.RecordID }}"\n'),
    ("T21", "project_on_all_resources", RPC, PROJECT_ID, '        ProjectID: "P-{{ resource.name }}"\n'),
    ("T22", "known_person", RPC, PROJECT_ID, "        ProjectID: everything\n"),
    ("T24", "repeated_record", RPC, SEEN, ANOTHER),
    ("T26", "allocation_types", RPC, PI, '        PiPersonID: "{{ packet.RecordID }}"\n'),
    ("T26", "known_person", RAC, USER, '        UserPersonID: "{{ packet.UserGlobalID }}"\n'),
    ("T27", "known_person", RPC, PI, '        PiPersonID: "1"\n'),
    ("T27", "request_person_merge", RAC, USER, '        UserPersonID: "1"\n'),
    ("T29", "allocation_types", RPC, PI_LOGIN, '        PiRemoteSiteLogin: "u{{ packet.RecordID }}"\n'),
    ("T30", "known_person", RPC, PI_LOGIN, "        PiRemoteSiteLogin: shared\n"),
    ("T30", "request_person_merge", RAC, USER_LOGIN, "        UserRemoteSiteLogin: guest\n"),
    ("T31", "later_certificates", RPC, PI_DNS, ""),
    ("T31", "later_certificates", RAC, USER_DNS, '        UserDnList: "{{ packet.UserDnList }}"\n'),
    ("T33", "nothing_to_change", RPC, REFUSED, DONE_NONETHELESS),
    ("T34", "allocation_types", RPC, NOT_OURS, NOT_OURS + " or type == 'supplement'"),
    ("T34", "known_person", RAC, NOT_OURS, NOT_OURS + " or packet.RoleList == ['user']"),
    ("T34", "request_project_reactivate", RPI, "when: resource is none", "when: resource is not none"),
    ("T38", "request_account_reactivate", RAI, OF_ACCOUNT, "    complete: it is stopped"),
    ("T38", "known_person", RPC, PROJECT_ID, PROJECT_ID + "        ResourceList: [elsewhere.example]\n"),
    ("T28", "request_account_reactivate", RAI, OF_ACCOUNT, OF_THE_PI),
    ("T20", "request_project_reactivate", RPI, OF_PROJECT, OF_ANOTHER),
    ("T38", "known_person", RAC, LAST, LAST + "    when: packet.UserTitle == 'Dr.'\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "scenario", "file", "old", "new"),
    [pytest.param(*one, id=f"{number}-{one[0]}") for number, one in enumerate(VARIANTS, 1)],
)
def test_a_wrong_variant_of_the_shipped_rules(
    tmp_path: Path, rule: str, scenario: str, file: str, old: str, new: str
) -> None:
    with a_bench(a_site(tmp_path / "site", {file: (old, new)})) as bench:
        (found,) = bench.certify([scenario])
    assert rule in {one.rule for one in found.report.violations}
    assert not found.passed
