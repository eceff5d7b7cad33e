"""An editor with the real yaml-language-server completes rule files from a site's schemas, and marks mistakes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amierules.engine.site_folder import write_site_folder
from tests.support.language_server import LanguageServer

HEAD = "# yaml-language-server: $schema=../schemas/rule-file.schema.json\n"
RULE = f"""{HEAD}packet: request_account_create
rules:
  - name: it
    actions:
      - name: step
        %s
    reply: {{}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new site folder."""
    folder = tmp_path_factory.mktemp("editor") / "site"
    write_site_folder(folder, "TestSite", ("alpha.example",))
    return folder


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[LanguageServer]:
    """The server, for the site's folder."""
    running = LanguageServer(site)
    yield running
    running.close()


@pytest.fixture(scope="module")
def file(site: Path) -> Path:
    """A rule file."""
    return site / "rules" / "request_account_create.yaml"


def test_kinds_and_keys_of_an_action_are_completed(server: LanguageServer, file: Path) -> None:
    offered = server.completions(file, RULE % "|")
    assert {"command", "user", "group", "person", "use", "when", "register", "for_each"} <= set(offered)
    assert "packet" not in offered


def test_parameters_of_a_kind_are_completed(server: LanguageServer, file: Path) -> None:
    offered = server.completions(file, RULE % "user:\n          name: x\n          |")
    assert {"uid", "groups", "groups_exact", "locked"} <= set(offered)
    assert "name" not in offered


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"{HEAD}packet: |\n", "request_person_merge"),
        (RULE % "on_error: |\n        command: [id]", "continue"),
        (f"{HEAD}packet: request_user_modify\nrules:\n  - name: it\n    |\n", "defer"),
        (f"{HEAD}|", "packet"),
        (f"{HEAD.replace('rule-file', 'block')}|", "params"),
        (f"{HEAD.replace('rule-file', 'configuration')}|", "resources"),
    ],
)
def test_values_and_outcomes_are_completed(server: LanguageServer, file: Path, text: str, value: str) -> None:
    assert value in server.completions(file, text)


def test_hovering_tells_what_a_key_is(server: LanguageServer, file: Path) -> None:
    assert "the step is done for each element" in server.hover(file, RULE % "for_|each: '[]'\n        command: [id]")
    assert "A local Unix account" in server.hover(file, RULE % "us|er: {name: x}")
    assert "The login" in server.hover(file, RULE % "user: {na|me: x}")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (RULE % "comand: [id]", 6, "comand"),
        (RULE % "user: {name: x, grops: []}", 6, "grops"),
        (RULE % "command: [id]\n        on_error: stop", 7, "park"),
        (
            RULE.replace("request_account_create", "request_acount_create") % "command: [id]",
            1,
            "request_account_create",
        ),
    ],
)
def test_mistakes_are_marked_on_their_line(server: LanguageServer, file: Path, text: str, line: int, said: str) -> None:
    found = server.diagnostics(file, text)
    assert [one for one in found if one["range"]["start"]["line"] == line and said in one["message"]], found


def test_nothing_is_marked_in_the_files_of_a_new_site(server: LanguageServer, site: Path) -> None:
    files = [site / "amierules.yaml", *sorted((site / "rules").rglob("*.yaml"))]
    marked = {path.name: server.diagnostics(path, path.read_text(encoding="utf-8")) for path in files}
    assert len(marked) > 10
    assert {name: found for name, found in marked.items() if found} == {}
