"""The name `transaction`: the first packet, and the newest earlier one of each type."""

from datetime import UTC, datetime

import pytest

from tests.support.sites import ALPHA, MakeSite, dpc, load, reply_to, rpc, run, status_of, work_of

CREATE = """
packet: request_project_create
rules:
  - name: a
    when: transaction.first.GrantNumber == packet.GrantNumber and transaction.data_project_create is none
    reply:
      copy: [GrantNumber, PfosNumber, ProjectTitle, ResourceList, StartDate, ServiceUnitsAllocated, PiOrgCode]
      fields: {ProjectID: P-1, PiPersonID: "7", PiRemoteSiteLogin: bo}
"""
DATA = """
packet: data_project_create
rules:
  - name: a
    when: transaction.request_account_create is none
    reply:
      fields:
        Message: "{{ transaction.first.GrantNumber }} {{ transaction.notify_project_create.PiRemoteSiteLogin }} \
{{ transaction.request_project_create.ProjectTitle }} {{ resource.name }} {{ transaction.first.EndDate }}"
"""


@pytest.mark.parametrize("ours", ["2026-03-01T12:00:00", "2020-01-01T00:00:00", "2030-01-01T00:00:00"])
def test_it_has_the_packets_of_both_sides_whatever_our_clock_says(make: MakeSite, ours: str) -> None:
    site = make({"a.yaml": CREATE, "b.yaml": DATA})
    site.world.clock.at = datetime.fromisoformat(ours).replace(tzinfo=UTC)  # type: ignore[attr-defined]
    request, data = load(site, rpc(transaction_id=5), dpc({"PersonID": "7"}, transaction_id=5, packet_id=2))
    run(site)
    assert status_of(site, request) == "done", work_of(site, request).reason
    run(site)
    said = reply_to(site, data).packet.body["Message"]
    assert said == f"XYZ259276 bo Examples at scale {ALPHA} 2027-01-31"
