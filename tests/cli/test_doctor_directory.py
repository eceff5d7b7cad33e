"""What `amierules doctor` says of the directory, and the configuration of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from amierules.engine.site_folder import write_site_folder
from amierules.rulebook.configuration import load_configuration
from tests.support.command_line import call
from tests.support.slapd import PEOPLE, SUFFIX, Slapd

LDAP: dict[str, Any] = {"uri": "ldap://ldap.site.example", "start_tls": True, "base": "dc=example,dc=org"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


def configure(site: Path, **sections: Any) -> None:
    path = site / "amierules.yaml"
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings = {**plain["settings"], **sections.pop("settings", {})}
    path.write_text(yaml.safe_dump({**plain, **sections, "settings": settings}), encoding="utf-8")


def said(what: str = "directory") -> tuple[str, str]:
    (check,) = [one for one in call("doctor", "--format", "json").json("doctor")["checks"] if one["what"] == what]
    return check["state"], check["detail"]


def test_a_directory_that_can_be_used(site: Path, directory: Slapd) -> None:
    configure(site, ldap=directory.section(), settings={"accounts": "ldap"})
    state, detail = said()
    assert (state, PEOPLE in detail, "by the unix socket" in detail) == ("ok", True, True)
    assert said("accounts")[0] == "ok"


def test_a_directory_without_the_base(site: Path, directory: Slapd) -> None:
    configure(site, ldap=directory.section(bases={"people": f"ou=none,{SUFFIX}"}))
    assert said() == ("error", f"there is no entry ou=none,{SUFFIX}, or we may not read it")


def test_a_directory_that_is_away_and_one_that_is_not_configured(site: Path, tmp_path: Path) -> None:
    configure(site, ldap={"uri": "ldap://127.0.0.1:1", "base": SUFFIX})
    state, detail = said()
    assert (state, "ldap://127.0.0.1:1" in detail) == ("error", True)
    (tmp_path / "site" / "amierules.yaml").unlink()
    write_site_folder(tmp_path / "other", "TestSite", ("alpha.example",))
    (tmp_path / "other" / "amierules.yaml").rename(site / "amierules.yaml")
    configure(site, settings={"accounts": "ldap"})
    assert said() == ("error", "`accounts: ldap` is set, and there is no section `ldap`")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": "no dn"}, "this is no DN: '=' is missing behind the name of an attribute"),
        ({"bases": {"people": "ou={{ x }}"}}, "this is no DN: there are no expressions here"),
        ({"bind_dn": "cn=a", "password": "plain"}, "the value of 'password' is a secret, and stands here"),
        ({"bind_dn": "cn=a", "password": "{{ secret.none }}"}, "there is no secret 'none'"),
        ({"bind_dn": "cn=a"}, "'bind_dn' needs 'password' beside it"),
        (
            {"bind_dn": "cn=a", "password": "{{ secret.ldap }}", "start_tls": False},
            "the password would cross the network in plain text",
        ),
        ({"uri": "ldaps://ldap.site.example"}, "ldaps needs no StartTLS"),
        ({"sasl": "external"}, "the server knows us by a unix socket only, and this is none"),
        ({"uri": "http://x"}, "http://x"),
    ],
)
def test_what_is_wrong_with_the_section_is_said(site: Path, changed: dict[str, Any], message: str) -> None:
    configure(site, ldap={**LDAP, **changed}, secrets={"ldap": {"env": "LDAP_PASSWORD"}})
    configuration, findings = load_configuration(site / "amierules.yaml", {})
    assert configuration is None
    assert any(message in one.message for one in findings), findings


def test_a_right_section(site: Path) -> None:
    given = {**LDAP, "bind_dn": "cn=a", "password": "{{ secret.ldap }}"}
    configure(site, ldap=given, secrets={"ldap": {"env": "LDAP_PASSWORD"}})
    configuration, findings = load_configuration(site / "amierules.yaml", {})
    assert findings == []
    assert configuration is not None
    assert configuration.ldap is not None
    assert configuration.ldap.named == {"": "dc=example,dc=org"}
