"""The configuration: found, checked, and made into values."""

from pathlib import Path

import pytest

from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.ids import IdSource
from tests.support.rules import marked, write

MINIMAL = "site_name: TestSite\nremote_site_name: TGCDB\n"
FULL = """\
site_name: TestSite
remote_site_name: [TGCDB, OTHER]
database: sqlite:///data/amie.db
rules: [rules, /opt/rules]
templates: texts
settings: {accounts: shadow, approve: false, limits: {cpu: 5}, date: 2025-10-01}
resources:
  alpha.site.example: {cluster: alpha, login_nodes: "login[1-2]"}
  beta.site.example:
ids: {uid: {range: [20000, 29999]}, gid: {ranges: [[100, 199], [300, 399]]}, person_id: {from: uid}}
logins: {prefix: xs-, pattern: "[a-z]+", reserved: [root, admin]}
secrets: {slack: {env: SLACK_WEBHOOK}, key: {file: key.txt}}
protocol: {charset: reject}
shadow: {prefix: scratch}
"""


def good(folder: Path, text: str, environ: dict[str, str] | None = None) -> Configuration:
    write(folder, {"amierules.yaml": text})
    configuration, findings = load_configuration(folder / "amierules.yaml", environ or {})
    assert findings == []
    assert configuration is not None
    return configuration


def test_a_minimal_file_has_the_defaults(tmp_path: Path) -> None:
    configuration = good(tmp_path, MINIMAL)
    assert configuration.site_name == "TestSite"
    assert configuration.remote_site_names == ("TGCDB",)
    assert configuration.database == f"sqlite:///{tmp_path}/amie.db"
    assert configuration.rules == (tmp_path / "rules",)
    assert configuration.templates == tmp_path / "templates"
    assert configuration.charset == "transliterate"
    assert configuration.logins.pattern == "[a-z][a-z0-9]{1,15}"
    assert configuration.ids.uid == IdSource()
    assert configuration.ids.person_id.ranges[0][0] == 1
    assert configuration.settings["accounts"] == "none"
    assert configuration.shadow_prefix is None


def test_everything_can_be_said(tmp_path: Path) -> None:
    configuration = good(tmp_path, FULL)
    assert configuration.remote_site_names == ("TGCDB", "OTHER")
    assert configuration.database == f"sqlite:///{tmp_path}/data/amie.db"
    assert configuration.rules == (tmp_path / "rules", Path("/opt/rules"))
    assert configuration.templates == tmp_path / "texts"
    assert configuration.settings == {
        "accounts": "shadow",
        "accounts_command": "/usr/local/sbin/site-accounts",
        "approve": False,
        "limits": {"cpu": 5},
        "date": "2025-10-01",
        "scheduler": "none",
        "slurm_resource": "cpu",
        "slurm_minutes": 60,
        "renewal_resets_usage": False,
        "dns": "none",
        "approve_accounts": False,
        "approve_projects": False,
        "approve_merges": False,
        "merge": "alias",
        "blank_absent": False,
        "wait_for_renewal": 0,
        "coordinators": [],
        "unused_types": "park",
    }
    assert configuration.resources["beta.site.example"] == {"login_nodes": None}
    assert configuration.resources["alpha.site.example"]["cluster"] == "alpha"
    assert configuration.ids.uid == IdSource(((20000, 29999),))
    assert configuration.ids.gid == IdSource(((100, 199), (300, 399)))
    assert configuration.ids.person_id == IdSource((), "uid")
    assert configuration.logins.prefix == "xs-"
    assert configuration.logins.reserved == ("root", "admin")
    assert configuration.secrets == {"slack": {"env": "SLACK_WEBHOOK"}, "key": {"file": f"{tmp_path}/key.txt"}}
    assert configuration.charset == "reject"
    assert configuration.shadow_prefix == tmp_path / "scratch"


CASES = [
    (MINIMAL + "databse: x", "unknown-key", "databse", "did you mean 'database'?"),
    (MINIMAL + "scheduler: {}", "unknown-key", "scheduler", ""),
    ("site_name: TestSite", "missing-key", None, "add 'remote_site_name:'"),
    ("site_name: AVeryLongSiteName\nremote_site_name: TGCDB", "too-long", "AVeryLongSiteName", ""),
    ("site_name: 5\nremote_site_name: TGCDB", "quote-me", "5", 'write "5"'),
    ("site_name: T S\nremote_site_name: TGCDB", "bad-value", "T S", "no spaces"),
    ("site_name: A\nremote_site_name: A", "bad-value", "A", ""),
    ("site_name: A\nremote_site_name: [A, B]", "bad-value", "[", ""),
    ("site_name: A\nremote_site_name: []", "empty", "remote_site_name", ""),
    (MINIMAL + "rules: rules", "wrong-type", "rules", "write [rules]"),
    (MINIMAL + "database: mysql://x", "bad-database", "mysql://x", "sqlite:///amie.db or postgresql://"),
    (MINIMAL + "database: amie.db", "bad-database", "amie.db", "sqlite:///amie.db or postgresql://"),
    (MINIMAL + "ids: {uid: {range: [5, 1]}}", "bad-value", "[", ""),
    (MINIMAL + "ids: {uid: {range: [0, 10]}}", "bad-value", "0", ""),
    (MINIMAL + "ids: {uid: {range: [5]}}", "empty", "range", ""),
    (MINIMAL + "ids: {uid: {range: [1, 5], from: gid}}", "too-long", "{", ""),
    (MINIMAL + "ids: {uid: {from: gid}}", "bad-value", "gid", "add 'gid: {range: [...]}'"),
    (MINIMAL + "ids: {uid: {from: gid}, gid: {from: uid}}", "bad-value", "uid", ""),
    (MINIMAL + "ids: {uid: {from: uid}}", "bad-value", "uid", ""),
    (MINIMAL + 'logins: {pattern: "[a-z"}', "bad-value", '"[a-z"', ""),
    (MINIMAL + "secrets: {slack: {}}", "empty", "slack", ""),
    (MINIMAL + "secrets: {slack: xoxb-123}", "wrong-type", "xoxb-123", ""),
    (MINIMAL + "secrets: {slack: {env: X, file: y}}", "too-long", "{", ""),
    (MINIMAL + "protocol: {charset: utf8}", "bad-value", "utf8", ""),
    (MINIMAL + 'resources: {a: {login_nodes: "login[1-2"}}', "bad-node-set", '"login[1-2"', "login[1-2],n7"),
    (MINIMAL + "resources: {a: {}, b: {login_nodes: n2 n3}}", "bad-node-set", "n2 n3", ""),
    (MINIMAL + "settings: [a]", "wrong-type", "[", ""),
    (MINIMAL + "settings: {a: 1, a: 2}", "duplicate-key", "a", ""),
    (MINIMAL + "settings: {a: {{ x }}}", "unquoted-template", "{{ x }}", ""),
]


@pytest.mark.parametrize(("text", "code", "at", "hint"), CASES, ids=[case[0] for case in CASES])
def test_a_mistake_is_one_finding_at_its_place(tmp_path: Path, text: str, code: str, at: str | None, hint: str) -> None:
    write(tmp_path, {"amierules.yaml": text})
    configuration, findings = load_configuration(tmp_path / "amierules.yaml", {})
    assert configuration is None
    assert [finding.code for finding in findings] == [code]
    assert at is None or marked(findings[0]) == at
    assert hint in findings[0].hint


def test_the_file_is_found_by_option_then_environment_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("Option", "Environ", "Folder")
    files = {f"{name}.yaml": MINIMAL.replace("TestSite", name) for name in names[:2]}
    write(tmp_path, {**files, "amierules.yaml": MINIMAL.replace("TestSite", names[2])})
    monkeypatch.chdir(tmp_path)
    environ = {"AMIERULES_CONFIG": str(tmp_path / "Environ.yaml")}
    found = [
        load_configuration(Path("Option.yaml"), environ),
        load_configuration(None, environ),
        load_configuration(None, {}),
    ]
    assert [configuration.site_name for configuration, _ in found if configuration] == list(names)
    assert found[0][0] is not None
    assert found[0][0].base == tmp_path


def test_without_a_file_the_way_to_one_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration, findings = load_configuration(None, {})
    assert configuration is None
    assert [finding.code for finding in findings] == ["no-configuration"]
    assert "amierules init" in findings[0].hint


def test_a_folder_in_place_of_the_file_is_a_finding(tmp_path: Path) -> None:
    assert [finding.code for finding in load_configuration(tmp_path, {})[1]] == ["unreadable-file"]


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///x.db", "sqlite:///{}/x.db"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("sqlite:///a/b c.db?mode=ro", "sqlite:///{}/a/b c.db?mode=ro"),
        ("sqlite://", "sqlite://"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql+psycopg2:///db?host=/run", "postgresql+psycopg2:///db?host=/run"),
    ],
)
def test_the_environment_overrides_the_database(tmp_path: Path, url: str, resolved: str) -> None:
    configuration = good(tmp_path, MINIMAL, {"AMIERULES_DATABASE": url})
    assert configuration.database == resolved.format(tmp_path)


def test_a_bad_database_in_the_environment_is_not_shown_with_its_password(tmp_path: Path) -> None:
    write(tmp_path, {"amierules.yaml": MINIMAL})
    environ = {"AMIERULES_DATABASE": "mysql://user:geheim@host/db"}
    configuration, findings = load_configuration(tmp_path / "amierules.yaml", environ)
    assert configuration is None
    assert [finding.code for finding in findings] == ["bad-database"]
    assert findings[0].place is None
    assert "AMIERULES_DATABASE" in findings[0].message
    assert "geheim" not in findings[0].message


# ------------------------------------------------------------------ logins.taken


def test_a_command_may_tell_which_logins_are_taken(tmp_path: Path) -> None:
    text = MINIMAL + 'logins: {taken: {run: [getent, passwd, "{{ login }}"], free: [2], timeout: 10s}}\n'
    taken = good(tmp_path, text).logins.taken
    assert taken is not None
    assert taken.run.evaluate({"login": "ann b"}) == ["getent", "passwd", "ann b"]
    assert (taken.free, taken.timeout) == ((2,), 10)
    assert good(tmp_path, MINIMAL).logins.taken is None


@pytest.mark.parametrize(
    ("run", "code", "at"),
    [
        ("'getent passwd {{ logon }}'", "undefined-name", "logon"),
        ("'getent passwd {{ login'", "template-syntax", None),
        ("[getent, passwd]", "bad-value", None),
        ("5", "quote-me", "5"),
    ],
)
def test_its_words_are_checked(run: str, code: str, at: str | None, tmp_path: Path) -> None:
    write(tmp_path, {"amierules.yaml": MINIMAL + f"logins: {{taken: {{run: {run}}}}}\n"})
    configuration, (finding,) = load_configuration(tmp_path / "amierules.yaml", {})
    assert configuration is None
    assert finding.code == code
    assert at is None or marked(finding) == at
