"""Whatever a packet sends, the kinds `user` and `group` change nothing but the account that they are to change."""

from pathlib import Path
from typing import Any

import pytest

from amierules.actions import group, user
from amierules.actions.accounts_tools import fit_comment
from amierules.actions.base import ActionError
from amierules.actions.parameters import check_params
from tests.support.hostile import HOSTILE, VALUES
from tests.support.shadow import Runner, ScratchRoot, host_digest

UID = 20001
_LEFT_BY_TOOLS = {".amierules.lock", ".pwd.lock", "subuid", "subgid"} | {
    f"{name}-" for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
}
_HARMLESS_NAMES = ("None", "null", "true", "0x0", "1e5", "daemon", "nobody")


@pytest.fixture
def root(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot.make(tmp_path / "outside" / "root")


def attempt(runner: Runner, **given: Any) -> str:
    """What came of it: `done`, `conflict`, `refused` by a check or an error. Nothing else may be raised."""
    params, problems = check_params(runner.schema, given)
    if problems:
        return "refused"
    try:
        return "conflict" if changed(runner, params) is None else "done"
    except ActionError as error:
        message = str(error)
    assert "\n" not in message
    return "refused"


def changed(runner: Runner, params: Any) -> object:
    """What the action registered; None where there was a conflict."""
    surroundings = runner.surroundings(timeout=20)
    plan = runner.kind.plan(params, runner.kind.probe(params, surroundings), surroundings)
    return None if plan.conflict else runner.kind.apply(params, plan, surroundings) or True


def accounts(root: ScratchRoot) -> dict[str, list[str]]:
    """The lines of the scratch root's files, each of which must have as many fields as it should."""
    lines = {}
    for file, width in (("passwd", 7), ("shadow", 9), ("group", 4), ("gshadow", 4)):
        lines[file] = (root.path / "etc" / file).read_text(encoding="utf-8").split("\n")
        assert lines[file].pop() == ""
        assert all(line.count(":") == width - 1 for line in lines[file]), lines[file]
    return lines


def assert_nothing_else_changed(root: ScratchRoot, before: dict[str, list[str]], tree: set[str], may_be: str) -> None:
    """All former lines stand, a new one is `may_be`'s with a uid other than 0, and no other file was made."""
    after = accounts(root)
    for file, lines in before.items():
        assert [line for line in after[file] if line in lines] == lines
        new = [line.split(":") for line in after[file] if line not in lines]
        assert all(fields[0] == may_be for fields in new), new
        assert len(new) <= 1
        assert file != "passwd" or all(fields[2] != "0" for fields in new)
    made = {path for path in root.tree() - tree if path.removeprefix("etc/") not in _LEFT_BY_TOOLS}
    assert made == set()
    assert {path.name for path in root.path.parent.iterdir()} == {"root"}


def assert_stored(root: ScratchRoot, login: str, field: str, text: str, outcome: str) -> None:
    """A comment is always taken, unless it is too long or no text; a path is taken as it is, or not at all."""
    line = root.line("passwd", login)
    if field == "comment" and len(text) <= 1000 and text != "\ud800":
        assert outcome == "done", text
    if outcome == "done":
        assert line is not None
        assert line[4:][("comment", "home", "shell").index(field)] == (
            fit_comment(text) if field == "comment" else text
        )


@pytest.fixture(scope="module", autouse=True)
def host_is_untouched() -> Any:
    """The host's own files are the same after all of these tests."""
    before = host_digest()
    yield
    assert host_digest() == before


def test_there_are_enough_hostile_texts() -> None:
    assert len(set(HOSTILE)) >= 100


@pytest.mark.parametrize("kind", ["user", "group"])
def test_names(root: ScratchRoot, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.path.parent)
    runner = Runner(user if kind == "user" else group, kind, root.path)
    before, tree = accounts(root), root.tree()
    number = {"uid": UID} if kind == "user" else {"gid": UID}
    for text in HOSTILE:
        outcome = attempt(runner, name=text, **number)
        assert outcome in ("refused", "conflict") or text in _HARMLESS_NAMES, (text, outcome)
        assert_nothing_else_changed(root, before, tree, text)
        if outcome == "done":
            assert attempt(runner, name=text, **number, state="absent") == "done"
            assert accounts(root) == before


def told(runner: Runner, **given: Any) -> list[list[str]] | None:
    """The argument lists for the parameters; None where they are refused."""
    params, problems = check_params(runner.schema, given)
    surroundings = runner.surroundings()
    try:
        plan = None if problems else runner.kind.plan(params, runner.kind.probe(params, surroundings), surroundings)
    except ActionError:
        return None
    return None if plan is None else [[str(word) for word in change.argv or ()] for change in plan.changes]


@pytest.mark.parametrize(
    ("kind", "field", "given"),
    [
        ("user", "name", {"uid": UID}),
        ("user", "name", {"uid": UID, "state": "absent"}),
        *(("user", field, {"name": "new", "uid": UID}) for field in ("comment", "home", "shell", "group")),
        *(("user", field, {"name": "lister", "uid": 38}) for field in ("comment", "home", "shell", "group")),
        *(("user", field, {"name": "lister", "uid": 38}) for field in ("groups", "groups_absent", "groups_exact")),
        ("group", "name", {"gid": UID}),
        ("group", "name", {"gid": UID, "state": "absent"}),
    ],
)
def test_no_value_becomes_an_option_or_another_word(
    root: ScratchRoot, kind: str, field: str, given: dict[str, Any]
) -> None:
    runner = Runner(user if kind == "user" else group, kind, root.path)
    listed = field.startswith("groups")
    harmless = "/harmless" if field in ("home", "shell") else "harmless"
    usual = told(runner, **given, **{field: [harmless] if listed else harmless})
    assert usual is not None
    for value in VALUES:
        kept = fit_comment(value) if field == "comment" else value
        wanted = [[word.replace(harmless, kept) for word in words] for words in usual]
        # None: refused; empty: there is nothing to do, or the account is somebody else's.
        assert told(runner, **given, **{field: [value] if listed else value}) in (wanted, None, []), value


@pytest.mark.parametrize("field", ["comment", "home", "shell"])
def test_fields_of_new_accounts(root: ScratchRoot, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.path.parent)
    runner = Runner(user, "user", root.path)
    tree = root.tree()
    for number, text in enumerate(HOSTILE):
        before = accounts(root)
        outcome = attempt(runner, name=f"user{number}", uid=UID + number, **{field: text})
        assert_nothing_else_changed(root, before, tree, f"user{number}")
        assert_stored(root, f"user{number}", field, text, outcome)


@pytest.mark.parametrize("field", ["comment", "home", "shell"])
def test_fields_of_one_account(root: ScratchRoot, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.path.parent)
    runner = Runner(user, "user", root.path)
    before, tree = accounts(root), root.tree()
    attempt(runner, name="alice", uid=UID)
    for text in HOSTILE:
        outcome = attempt(runner, name="alice", uid=UID, **{field: text})
        assert_nothing_else_changed(root, before, tree, "alice")
        assert_stored(root, "alice", field, text, outcome)


@pytest.mark.parametrize("field", ["group", "groups", "groups_exact"])
def test_groups(root: ScratchRoot, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.path.parent)
    runner = Runner(user, "user", root.path)
    assert attempt(runner, name="alice", uid=UID) == "done"
    before, tree = accounts(root), root.tree()
    for text in HOSTILE:
        value = text if field == "group" else ["proj1", text]
        if text in ("root", "lister"):
            continue
        for name, uid in (("alice", UID), ("bob", UID + 1)):
            assert attempt(runner, name=name, uid=uid, **{field: value}) == "refused", (name, text)
        assert accounts(root) == before
        assert root.tree() - tree <= {f"etc/{name}" for name in _LEFT_BY_TOOLS}


@pytest.mark.parametrize("field", ["comment", "home", "shell", "group"])
def test_a_home_that_is_made_stays_in_the_root(root: ScratchRoot, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.path.parent)
    runner = Runner(user, "user", root.path)
    for text in (
        "../../evil",
        "/../../evil",
        "/home/../../evil",
        "evil",
        "~/evil",
        "/home/a\n/evil",
        "-evil",
        "$(evil)",
    ):
        attempt(runner, name="alice", uid=UID, create_home=True, **{field: text})
        assert not [path for path in root.path.parent.rglob("*evil*") if root.path not in path.parents]
        assert {path.name for path in root.path.parent.iterdir()} == {"root"}
        attempt(runner, name="alice", uid=UID, state="absent")


@pytest.mark.parametrize("prefix", ["", "/", "//", "relative", "../..", "/no/such/folder", "--root", "/etc/passwd"])
def test_a_prefix_that_is_no_scratch_root_is_refused(root: ScratchRoot, prefix: str) -> None:
    runner = Runner(user, "user", root.path)
    assert attempt(runner, name="alice", uid=UID, prefix=prefix) == "refused"
