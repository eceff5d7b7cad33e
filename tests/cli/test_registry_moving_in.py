"""A running site of a thousand users moves in: `registry import` with its passwd and group files."""

import random
from pathlib import Path

import pytest

from tests.cli.test_registry import Ended, amierules

FIRST, LAST = ("Ann", "Bo", "Cal", "Dee", "Zoë", "Jürgen"), ("Sample", "Example", "O'Neil", "de la Cruz", "Müller")
SYSTEM = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Path:
    """A site folder, which is the working folder, with the files of a host that has 1,000 users in 120 projects."""
    (tmp_path / "amierules.yaml").write_text(
        f'site_name: TestSite\nremote_site_name: TGCDB\ndatabase: "{database_url}"\n'
        "resources: {alpha.site.example: {}, beta.site.example: {}}\nids: {uid: {range: [20000, 29999]}}\n",
        encoding="utf-8",
    )
    chance = random.Random(7)
    users = [f"user{number:04}" for number in range(1000)]
    passwd = [
        f"{login}:x:{20000 + number}:{31000 + number % 120}:"
        f"{chance.choice(FIRST)} {chance.choice(LAST)},,,:/home/{login}:/bin/bash\n"
        for number, login in enumerate(users)
    ]
    group = [f"p-tg{number:03}:x:{31000 + number}:{','.join(chance.sample(users, 5))}\n" for number in range(120)]
    (tmp_path / "passwd").write_text(SYSTEM + "".join(passwd), encoding="utf-8")
    (tmp_path / "group").write_text("root:x:0:\nusers:x:100:\n" + "".join(group), encoding="utf-8")
    persons = [f"P{number},{70000 + number},{login}\n" for number, login in enumerate(users) if number % 2]
    (tmp_path / "persons.csv").write_text("person_id,global_id,login\n" + "".join(persons), encoding="utf-8")
    projects = [f"PR{number},TG-{number:03},p-tg{number:03},P1\n" for number in range(0, 120, 3)]
    (tmp_path / "projects.csv").write_text("project_id,grant_number,group,pi\n" + "".join(projects), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMIERULES_CONFIG", raising=False)
    monkeypatch.delenv("AMIERULES_DATABASE", raising=False)
    return tmp_path


def moved(*words: str) -> Ended:
    unix = ("--passwd", "passwd", "--group", "group", "--projects", "p-(?P<project_id>.+)")
    return amierules("import", "persons.csv", "projects.csv", *unix, *words)


def test_a_thousand_users_move_in(site: Path) -> None:
    looked = moved("--dry-run")
    assert (looked.exit_code, looked.stderr.count("error")) == (0, 0), looked.stderr
    assert looked.stdout.count("\n+ person ") + looked.stdout.startswith("+ person ") == 1000
    assert "the registry is empty" in amierules("show").stderr
    done = moved()
    assert done.exit_code == 0
    assert done.stdout.startswith("1000 persons added; 120 projects added; ")
    assert moved("--resource", "alpha.site.example").stdout.startswith("nothing to change")
    again = moved()
    assert (again.exit_code, again.stdout.startswith("nothing to change")) == (0, True)
    shown = amierules("show", "person", "P1").stdout
    assert "uid: 20001" in shown
    assert "login: user0001" in shown
    assert "project_id PR3, resource beta.site.example" in amierules("show", "person", "P123").stdout
    assert "gid: 31003" in amierules("show", "project", "TG-003").stdout


def test_one_conflict_among_a_thousand_users_keeps_all_out(site: Path) -> None:
    with (site / "passwd").open("a", encoding="utf-8") as file:
        file.write("user0500:x:20999:100:Another:/home/x:/bin/sh\nbroken line\n")
    refused = moved()
    assert (refused.exit_code, refused.stdout) == (1, "")
    said = "user0500 has uid 20999 here, and person 20500 has 20500"
    assert f"passwd:1003: error[account-differs]: {said}" in refused.stderr
    assert "passwd:1004: error[account-line]: the line has 1 fields, not 7" in refused.stderr
    assert "the registry is empty" in amierules("show").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to import"),
        (("--passwd", "passwd", "--uids", "20000"), "'20000' is no range of uids"),
        (("--passwd", "passwd", "--uids", "9-1"), "'9-1' is no range of uids"),
        (("--group", "group", "--projects", "p-("), "--projects is no regular expression"),
        (("--group", "group", "--projects", "(?P<grant>x)"), "--projects names 'grant', which no project has"),
    ],
)
def test_what_cannot_be_understood_is_wrong_usage(site: Path, words: tuple[str, ...], said: str) -> None:
    refused = amierules("import", *words)
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_files_that_are_not_there_are_said(site: Path) -> None:
    refused = amierules("import", "--passwd", "no-such-file", "--group", ".")
    assert refused.exit_code == 1
    assert refused.stderr.count("unreadable-file") == 2
