"""`amierules doctor`: finds what is missing, each thing once, and changes nothing."""

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.reservations import reserve_number
from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import Ended, call, program
from tests.support.databases import noted
from tests.support.postgres import PostgresServer
from tests.support.real import require_root
from tests.support.servers import mail_server, web_server
from tests.support.slurm import SlurmServer

COMMANDS = """\
packet: request_user_modify
rules:
  - name: it
    actions:
      - name: one
        command: {run: [no-such-program, x], unless: {run: "/no/such/guard {{ packet.PersonID }}"}}
      - name: two
        command: "sh -c true"                  # amierules: ignore[at-most-once]
      - name: three
        command: ["{{ packet.PersonID }}"]     # amierules: ignore[at-most-once]
    reply: {}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new site folder, and we are in it."""
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


def edit(site: Path, old: str, new: str) -> None:
    text = (site / "amierules.yaml").read_text()
    assert old in text
    (site / "amierules.yaml").write_text(text.replace(old, new))


def looked(*words: str) -> tuple[int, list[dict[str, Any]]]:
    """The status, and the checks that are not ok."""
    ended: Ended = call("doctor", "--format", "json", *words)
    return ended.status, [check for check in ended.json("doctor")["checks"] if check["state"] != "ok"]


def the_one(*words: str) -> tuple[int, str, str, str]:
    """The status, and the only check that is not ok."""
    status, (check,) = looked(*words)
    return status, check["what"], check["state"], check["detail"]


def test_a_new_site_folder_is_healthy_and_nothing_is_made(site: Path) -> None:
    before = sorted(site.rglob("*"))
    assert looked("--strict") == (0, [])
    assert sorted(site.rglob("*")) == before


def test_people_get_a_line_for_each_check(site: Path) -> None:
    ended = program("doctor", cwd=site)
    assert (ended.status, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert all(line.startswith("ok       ") for line in lines)
    assert {line.split()[1] for line in lines} >= {"configuration", "rules", "database", "ids", "disk", "permissions"}


def test_a_database_in_use_is_healthy_and_stays_as_it_is(
    site: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", database_url)
    with Database.open(database_url, create=False) as database:
        before = noted(database)
        assert looked("--strict") == (0, [])
        assert noted(database) == before


def test_an_sqlite_file_is_not_touched(site: Path) -> None:
    call("db", "create")
    before = hashlib.sha256((site / "amie.db").read_bytes()).digest()
    looked()
    assert hashlib.sha256((site / "amie.db").read_bytes()).digest() == before


def test_without_a_configuration_it_ends_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, what, state, detail = the_one()
    assert (status, what, state) == (1, "configuration", "error")
    assert "amierules.yaml" in detail


def test_a_database_that_cannot_be_reached_ends_with_5(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", "postgresql://nobody:hush-hush@127.0.0.1:1/amie")
    status, what, state, detail = the_one()
    assert (status, what, state) == (5, "database", "error")
    assert "hush-hush" not in detail


def test_the_database_goes_before_other_errors(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", "sqlite:///no/such/folder/amie.db")
    (site / "rules" / "request_user_modify.yaml").write_text("packet: request_user_modify\n")
    status, found = looked()
    assert status == 5
    assert [check["what"] for check in found] == ["rules", "database"]


def test_a_user_without_rights_is_told_which_is_lacking(
    site: Path, postgres_server: PostgresServer, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_ready_url.partition("?")[0].rpartition("/")[2]
    user = f"only_{name}"
    postgres_server.query(f'create role "{user}" login', name)
    for statement in ("grant select on all tables in schema public to", "grant insert on amierules_meta to"):
        postgres_server.query(f'{statement} "{user}"', name)
    monkeypatch.setenv("AMIERULES_DATABASE", postgres_server.url(name, user))
    status, what, state, detail = the_one()
    assert (status, what, state) == (5, "database", "error")
    assert detail.startswith("this user lacks the right to insert on ")
    postgres_server.query(f'drop owned by "{user}"', name)
    postgres_server.query(f'drop role "{user}"', name)


def test_a_read_only_database_is_found(
    site: Path, postgres_server: PostgresServer, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_ready_url.partition("?")[0].rpartition("/")[2]
    postgres_server.query(f'alter database "{name}" set default_transaction_read_only = on')
    monkeypatch.setenv("AMIERULES_DATABASE", postgres_ready_url)
    status, what, _, detail = the_one()
    assert (status, what) == (5, "database")
    assert "is read-only" in detail


def test_broken_rules_name_the_packets_that_park(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text("packet: request_user_modify\nrules: 1\n")
    status, what, state, detail = the_one()
    assert (status, what, state) == (1, "rules", "error")
    assert detail.endswith("packets that park: request_user_modify")


def test_packet_types_without_a_rule_are_named(site: Path) -> None:
    (site / "rules" / "data_create.yaml").unlink()
    status, what, state, detail = the_one()
    assert (status, what, state) == (0, "rules", "warning")
    assert "data_account_create, data_project_create" in detail
    assert looked("--strict")[0] == 1


def test_a_site_without_resources_is_warned(site: Path) -> None:
    edit(site, "resources:\n  alpha.example: {}\n", "")
    assert the_one()[:3] == (0, "resources", "warning")


def test_programs_that_rules_start_must_be_there(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(COMMANDS)
    status, found = looked()
    assert status == 1
    assert [check["detail"] for check in found] == [
        "no-such-program is missing; rules/request_user_modify.yaml:5 needs it",
        "/no/such/guard is missing; rules/request_user_modify.yaml:5 needs it",
    ]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (None, "the scratch root FOLDER has no folder etc"),
        ((), "the scratch root lacks passwd, group, shadow in FOLDER/etc"),
        (("passwd", "group"), "the scratch root lacks shadow in FOLDER/etc"),
        (("passwd", "group", "shadow"), None),
    ],
)
def test_a_scratch_root_for_accounts_must_be_there(site: Path, there: tuple[str, ...] | None, said: str | None) -> None:
    (site / "scratch" / ("etc" if there is not None else "")).mkdir(parents=True)
    for name in there or ():
        (site / "scratch" / "etc" / name).touch()
    edit(site, "accounts: none", "accounts: shadow")
    edit(site, "logins:", "shadow: {prefix: scratch}\nlogins:")
    _, found = looked()
    wrong = [check["detail"] for check in found if check["what"] == "accounts"]
    assert wrong == ([] if said is None else [said.replace("FOLDER", str(site / "scratch"))])


def test_a_misspelt_keeper_of_accounts_is_noticed(site: Path) -> None:
    edit(site, "accounts: none", "accounts: shadw")
    found = next(check for check in looked()[1] if check["what"] == "accounts")
    assert (found["state"], found["hint"]) == ("warning", "did you mean 'shadow'?")
    assert "they keep the registry alone then" in found["detail"]


def test_a_site_may_name_a_keeper_of_its_own(site: Path) -> None:
    edit(site, "accounts: none", "accounts: posix")
    found = next(check for check in looked()[1] if check["what"] == "accounts")
    assert (found["state"], found["hint"]) == ("warning", "known: shadow, ldap, command, none")
    assert "warning[unknown-value]" in call("validate").stdout
    rule = """packet: request_account_inactivate
rules: [{name: a, when: "site.accounts == 'posix'", hold: x}, {name: b, hold: y}]
"""
    (site / "rules" / "request_account_inactivate.yaml").write_text(rule)
    assert "unknown-value" not in call("validate").stdout
    assert not any("no rule knows" in check["detail"] for check in looked()[1])


def test_the_site_s_own_command_for_accounts_must_be_there(site: Path) -> None:
    edit(site, "accounts: none", "accounts: command")
    status, found = looked()
    check = next(check for check in found if check["what"] == "accounts")
    assert (status, check["state"]) == (1, "error")
    assert "/usr/local/sbin/site-accounts is missing" in check["detail"]
    edit(site, "settings:", "settings:\n  accounts_command: [env, LC_ALL=C, sh]")
    assert not [check for check in looked()[1] if check["what"] == "accounts"]


def test_a_folder_for_the_grid_mapfile_must_be_there(site: Path) -> None:
    edit(site, "dns: none", "dns: grid_mapfile")
    edit(site, "logins:", "grid_mapfile: {file: grid/mapfile}\nlogins:")
    status, found = looked()
    check = next(check for check in found if check["what"] == "dns")
    assert (status, check["state"]) == (1, "error")
    assert check["detail"] == "there is no folder grid for the grid-mapfile"
    (site / "grid").mkdir()
    assert not [check for check in looked()[1] if check["what"] == "dns"]
    (site / "grid" / "mapfile").mkdir()
    assert "is no ordinary file" in next(check["detail"] for check in looked()[1] if check["what"] == "dns")


def test_a_misspelt_keeper_of_dns_is_noticed(site: Path) -> None:
    edit(site, "dns: none", "dns: gridmapfile")
    found = next(check for check in looked()[1] if check["what"] == "dns")
    assert (found["state"], found["hint"]) == ("warning", "did you mean 'grid_mapfile'?")


def test_a_number_that_this_host_uses_is_noticed(site: Path) -> None:
    require_root()
    edit(site, "accounts: none", "accounts: shadow")
    edit(site, "uid: {range: [20000, 29999]}", "uid: {ranges: [[65534, 65534], [30000, 39999]]}")
    _, found = looked()
    (check,) = [check for check in found if check["what"] == "ids uid"]
    assert check["state"] == "warning"
    assert "which nobody has on this host" in check["detail"]


@pytest.mark.parametrize(
    ("taken", "state"), [(0, "ok"), (18, "ok"), (19, "warning"), (20, "error")], ids=["none", "some", "most", "all"]
)
def test_numbers_that_run_out_are_noticed(site: Path, taken: int, state: str) -> None:
    edit(site, "gid: {range: [30000, 39999]}", "gid: {ranges: [[5000, 5009], [6000, 6009]]}")
    with Database.open(f"sqlite:///{site}/amie.db", create=True) as database:
        for number in range(taken):
            reserve_number(database, "gid", [(5000, 5009), (6000, 6009)], 1, f"step {number}")
    status, found = looked()
    assert status == (1 if state == "error" else 0)
    assert [(check["what"], check["state"]) for check in found] == ([] if state == "ok" else [("ids gid", state)])


def test_numbers_of_system_accounts_are_noticed(site: Path) -> None:
    edit(site, "uid: {range: [20000", "uid: {range: [500")
    assert the_one()[:3] == (0, "ids uid", "warning")


def test_secrets_must_be_there_and_are_never_shown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = "{hook: {env: SLACK}, mail: {file: mail.secret}, gone: {file: gone.secret}, empty: {file: empty.secret}}"
    edit(site, "logins:", f"secrets: {secrets}\nlogins:")
    monkeypatch.delenv("SLACK", raising=False)
    (site / "mail.secret").write_text("hush-hush")
    (site / "mail.secret").chmod(0o644)
    (site / "empty.secret").touch()
    status, found = looked()
    assert status == 1
    assert {check["what"]: check["state"] for check in found} == {
        "secret hook": "error",
        "secret mail": "warning",
        "secret gone": "error",
        "secret empty": "error",
    }
    monkeypatch.setenv("SLACK", "hush-hush")
    (site / "mail.secret").chmod(0o600)
    ended = call("doctor")
    assert "hush-hush" not in ended.stdout + ended.stderr
    assert ended.stdout.count("secret hook") == 1
    assert {check["what"] for check in looked()[1]} == {"secret gone", "secret empty"}


@pytest.mark.parametrize("name", ["amierules.yaml", "rules", "rules/blocks", "rules/data_create.yaml", "."])
def test_what_everybody_may_write_is_an_error(site: Path, name: str) -> None:
    (site / name).chmod(0o777)
    status, what, state, detail = the_one()
    assert (status, what, state) == (1, "permissions", "error")
    assert detail.startswith(f"everybody may write {name}")


def test_rules_of_another_owner_are_noticed_by_root(site: Path) -> None:
    require_root()
    os.chown(site / "rules" / "data_create.yaml", 12345, 12345)
    assert the_one() == (0, "permissions", "warning", "rules/data_create.yaml belongs to uid 12345")


def test_an_event_of_the_future_tells_of_a_wrong_clock(site: Path) -> None:
    with Database.open(f"sqlite:///{site}/amie.db", create=True) as database, database.begin() as connection:
        row = {"at": datetime.now(UTC) + timedelta(days=2), "who": "run", "what": "done", "why": ""}
        connection.execute(insert(own_tables.event), [row])
    assert the_one()[:3] == (0, "clock", "warning")


def test_what_the_table_check_finds_is_among_the_checks(site: Path) -> None:
    with Database.open(f"sqlite:///{site}/amie.db", create=True) as database, database.begin() as connection:
        connection.exec_driver_sql("alter table packet_tbl add column extra text")
    assert the_one()[:3] == (0, "database", "warning")


def with_slurm(site: Path, section: str, cluster: str = "alpha") -> None:
    edit(site, "scheduler: none", "scheduler: slurm")
    edit(site, "alpha.example: {", f"alpha.example: {{cluster: {cluster}, ")
    edit(site, "logins:", f"slurm: {{{section}}}\nlogins:")


def test_a_slurm_that_answers_and_has_the_cluster_is_fine(site: Path, slurm_server: SlurmServer) -> None:
    with_slurm(site, f"conf: {slurm_server.conf}")
    ended = call("doctor", "--format", "json")
    found = [check for check in ended.json("doctor")["checks"] if check["what"] == "slurm"]
    assert [(check["state"], check["detail"]) for check in found] == [("ok", "it answers; its clusters: alpha")]


def test_a_cluster_that_slurm_does_not_have_is_noticed(site: Path, slurm_server: SlurmServer) -> None:
    with_slurm(site, f"conf: {slurm_server.conf}", "alhpa")
    assert the_one() == (1, "slurm", "error", "it has no cluster alhpa")


def test_a_slurm_that_is_away_is_noticed(site: Path, slurm_server: SlurmServer) -> None:
    with_slurm(site, f"conf: {slurm_server.conf}")
    slurm_server.stop_dbd()
    try:
        status, what, state, detail = the_one()
    finally:
        slurm_server.start_dbd()
    assert (status, what, state) == (5, "slurm", "error")
    assert "gets no answer" in detail
    assert "Connection refused" in detail


def test_a_sacctmgr_that_is_missing_is_noticed(site: Path) -> None:
    with_slurm(site, "sacctmgr: /no/such/sacctmgr")
    status, what, state, detail = the_one()
    assert (status, what, state) == (1, "slurm", "error")
    assert "/no/such/sacctmgr" in detail


def test_a_misspelt_scheduler_is_noticed(site: Path) -> None:
    edit(site, "scheduler: none", "scheduler: slrum")
    assert the_one()[:3] == (0, "slurm", "warning")


def test_servers_for_messages_are_reached_and_sent_nothing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as web, mail_server() as mail:
        monkeypatch.setenv("HOOK", f"{web.url}/T0/s3cr3t")
        edit(site, "database:", f"mail: {{host: 127.0.0.1, port: {mail.port}, from: a@site.example}}\ndatabase:")
        edit(site, "database:", 'slack: {webhook: "{{ secret.hook }}"}\nsecrets: {hook: {env: HOOK}}\ndatabase:')
        status, found = looked()
        assert (status, found) == (0, [])
        assert (web.requests, mail.mails) == ([], [])
    status, found = looked()
    assert status == 0
    assert [(check["what"], check["state"]) for check in found] == [("mail", "warning"), ("slack", "warning")]
    assert all("no connection: Connection refused" in check["detail"] for check in found)
    assert "s3cr3t" not in str(found)
