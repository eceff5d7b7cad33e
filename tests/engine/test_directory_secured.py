"""A site whose directory is reached over ldaps://, with a secret from a file or from the environment."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amierules.database import pauses
from amierules.database.connection import Database
from amierules.engine.health.directory import check_directory
from amierules.engine.site import Site
from tests.support.sites import MakeSite, load, make_site, reason_of, rpi, run, set_clock, status_of, work_of
from tests.support.slapd import ADMIN, GROUPS, PASSWORD, PEOPLE, SUFFIX, Certificates, Slapd

RULES = """
packet: request_project_inactivate
rules:
  - name: crew
    actions:
      - name: crew
        ldap_entry: {dn: cn=crew, base: groups, owner: {gidNumber: 777}, add: {memberUid: "{{ packet.ProjectID }}"}}
    reply: {copy: [ProjectID, ResourceList]}
"""
CREW = f"cn=crew,{GROUPS}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(certificates: Certificates) -> Iterator[Slapd]:
    server = Slapd(certificates)
    yield server
    server.remove()


@pytest.fixture
def server(secured: Slapd) -> Slapd:
    secured.reset()
    return secured


@pytest.fixture
def made(tmp_path: Path, server: Slapd, certificates: Certificates) -> Iterator[MakeSite]:
    with Database.open("sqlite://", create=True) as database:

        def make(secret: dict[str, str], **changed: Any) -> Site:
            section = {
                "uri": server.secure_uri,
                "ca_file": str(certificates.ca),
                "bind_dn": ADMIN,
                "password": "{{ secret.ldap }}",
                "base": SUFFIX,
                "bases": {"people": PEOPLE, "groups": GROUPS},
                "timeout": "5s",
                **changed,
            }
            return make_site(database, tmp_path / "site", {"rules.yaml": RULES}, ldap=section, secrets={"ldap": secret})

        yield make


@pytest.fixture(params=["file", "env"])
def secret(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the password of the bind is."""
    if request.param == "env":
        monkeypatch.setenv("LDAP_SECRET", PASSWORD)
        return {"env": "LDAP_SECRET"}
    file = tmp_path / "ldap.secret"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    return {"file": str(file)}


def done(site: Site, login: str) -> None:
    (number,) = load(site, rpi({"ProjectID": login}))
    run(site)
    assert status_of(site, number) == "done", reason_of(site, number)


def members(server: Slapd) -> list[str]:
    return server.tree()[CREW]["memberUid"]


def test_it_is_used_with_the_secret_and_again_once_it_was_restarted(
    made: MakeSite, server: Slapd, secret: dict[str, str]
) -> None:
    site = made(secret)
    assert [check.health for check in check_directory(site.configuration)] == ["ok"]
    done(site, "bo")
    server.stop()
    server.start()
    done(site, "ann")  # the connection of before is lost: what only reads is asked again on a new one
    assert members(server) == ["ann", "bo", "lister"]


def test_while_it_is_away_packets_wait_and_then_go_on(made: MakeSite, server: Slapd, secret: dict[str, str]) -> None:
    site = made(secret)
    done(site, "bo")
    server.stop()
    (number,) = load(site, rpi({"ProjectID": "ann"}))
    run(site)
    assert (status_of(site, number), work_of(site, number).attempts) == ("retrying", 0)
    with site.database.read() as connection:
        assert [one.name for one in pauses.listing(connection)] == ["ldap"]
    server.start()
    set_clock(site, later=timedelta(hours=1))
    run(site)
    assert status_of(site, number) == "done", reason_of(site, number)
    assert members(server) == ["ann", "bo", "lister"]


def test_a_secret_that_was_changed_is_read_at_the_next_connection(
    made: MakeSite, server: Slapd, tmp_path: Path
) -> None:
    file = tmp_path / "ldap.secret"
    file.write_text("of yesterday")
    file.chmod(0o600)
    site = made({"file": str(file)})
    (number,) = load(site, rpi({"ProjectID": "bo"}))
    run(site)
    assert (status_of(site, number), work_of(site, number).attempts) == ("retrying", 0)
    assert "Invalid credentials" in reason_of(site, number)
    assert "of yesterday" not in reason_of(site, number)
    file.write_text(PASSWORD)
    set_clock(site, later=timedelta(hours=1))
    run(site)
    assert status_of(site, number) == "done", reason_of(site, number)


@pytest.mark.parametrize("why", ["another authority", "another name"])
def test_a_certificate_that_proves_nothing_is_refused(
    made: MakeSite, server: Slapd, certificates: Certificates, secret: dict[str, str], why: str
) -> None:
    wrong = {"ca_file": str(certificates.other_ca)} if why == "another authority" else {"uri": server.other_secure_uri}
    site = made(secret, **wrong)
    before = server.tree()
    (number,) = load(site, rpi({"ProjectID": "bo"}))
    run(site)
    assert (status_of(site, number), work_of(site, number).attempts) == ("retrying", 0)
    assert "is its certificate for this name" in reason_of(site, number)
    assert server.tree() == before
