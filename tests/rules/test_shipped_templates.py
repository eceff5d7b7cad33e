"""The shipped templates, as messages of the shipped rules and of the configuration."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from amierules.shipped import ROOT
from tests.support.outbox import texts
from tests.support.policy import send
from tests.support.sites import ALPHA, itc, load, make_site, rac, rpc, rpi, run, set_clock

STATUSES = {
    "failed": [{"slack": {"template": "failed.txt.j2"}}],
    "overdue": [{"slack": {"template": "overdue.txt.j2"}}],
    "done": [
        {
            "slack": {"template": "failed_over_there.txt.j2"},
            "when": "header.type == 'inform_transaction_complete' and packet.StatusCode != 'Success'",
        }
    ],
    "held": [{"slack": {"template": "needs_a_person.txt.j2"}}],
}
OF_RULES = {"request_project_create": "project_created", "request_account_create": "account_created"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with the shipped rules, which has each message that a template is for."""
    rules = {}
    for packet_type, template in OF_RULES.items():
        text = (ROOT / "rules" / f"{packet_type}.yaml").read_text(encoding="utf-8")
        # The last rule of these files is the one that does the work.
        rules[f"{packet_type}.yaml"] = f"{text}    notify: [{{slack: {{template: {template}.txt.j2}}}}]\n"
    return make_site(
        Database.open("sqlite://", create=True), tmp_path, rules, later_rules=[ROOT / "rules"], notify=STATUSES
    )


def said(site: Site, packet: dict[str, Any]) -> str:
    """The message that a packet's outcome brings; one that is held may be overdue, too."""
    got = send(site, packet)
    text, *_ = texts(site, got.packet_rec_id)
    assert isinstance(text, str), text
    return re.sub(rf"\b{got.packet_rec_id}\b", "ID", text)


def test_a_project(site: Site) -> None:
    assert said(site, rpc()) == (
        f"Project P-XYZ259276 on {ALPHA}: new of 1000 units\n"
        "Examples at scale\n\n"
        "PI:     Bo Sample, Example State (login bsample)\n"
        "Grant:  XYZ259276\n"
        "Period: 2026-02-01 to 2027-01-31"
    )
    bare = {"ProjectTitle": None, "GrantNumber": "G2", "PiDnList": None}
    assert "(no title)\n" in said(site, rpc(bare))


def test_an_account(site: Site) -> None:
    send(site, rpc())
    ann = f"Ann Example (Example U) has the login annex on {ALPHA}, project P-XYZ259276"
    assert said(site, rac()) == f"{ann}."
    send(site, rpi())
    assert said(site, rac()) == f"{ann}. It is locked as long as the project is inactive."


def test_a_held_packet(site: Site) -> None:
    assert said(site, rpi({"ProjectID": "nowhere"})) == (
        "TestSite: packet ID (request_project_inactivate from TGCDB) is held.\n\n"
        "no project nowhere\n\n"
        "amierules show ID"
    )


def test_a_refused_packet(site: Site) -> None:
    text = said(site, rpc({"ResourceList": ["gamma.site.example"]}))
    assert text.startswith(
        "TestSite has refused packet ID (request_project_create from TGCDB).\n\ngamma.site.example is"
    )
    assert text.endswith("amierules show ID")


def test_a_failure_on_the_other_side(site: Site) -> None:
    text = said(site, itc({"StatusCode": "Failure", "Message": "no such project"}, transaction_id=77))
    assert text.startswith("TGCDB has ended transaction 77 with a failure; nothing is tried again by itself.\n\n")
    assert "failed over there: no such project" in text
    (packet,) = load(site, itc(transaction_id=78))
    run(site)
    assert texts(site, packet) == []


def test_an_overdue_packet(site: Site) -> None:
    (packet,) = load(site, rac())
    run(site)
    set_clock(site, later=timedelta(days=200))
    run(site)
    (text,) = (text for text in texts(site, packet) if "waits for the answer" in text)
    begin = (
        f"TGCDB waits for the answer of TestSite to packet {packet} (request_account_create, {ALPHA}): we owe a reply"
    )
    assert text.startswith(begin)
    assert text.endswith(f"amierules run {packet}")


def test_every_shipped_template_is_described() -> None:
    described = (ROOT / "templates" / "README.md").read_text(encoding="utf-8")
    names = {file.name for file in Path(ROOT / "templates").glob("*.j2")}
    assert {name for name in names if f"`{name}`" not in described} == set()
