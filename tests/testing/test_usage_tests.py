"""Tests of usage rules are played by the real collecting, charging and reporting, and compared whole."""

import re
from pathlib import Path

import pytest

from amierules.shipped import read_schema
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite
from amierules.usage.problem import CODES
from tests.architecture.source_tree import TOP
from tests.support.command_line import call
from tests.support.usage import ALPHA, RULES, write_site
from tests.testing.conftest import told

GIVEN = """\
given:
  registry:
    persons: [{person_id: "1", login: mara, uid: 20001}]
    projects: [{project_id: P-BIO, grant_number: BIO1, pi: "1", group: bio, resources: [alpha.site.example]}]
    accounts: [{person: "1", project: P-BIO, resource: alpha.site.example, login: mara}]
"""
GOOD = f"""{GIVEN}
usage_tests:
  # two jobs
  - name: charged
    given: {{clock: 2026-04-01T00:00:00Z}}
    jobs:
      - {{account: bio, user: mara, cpus: 4, elapsed: 5400, partition: big}}   # CPUs
      - {{account: bio, user: mara, tres: {{gres/gpu: 2}}}}
      - {{account: bio, user: mara, elapsed: 0}}
      - {{account: bio, user: zoe, name: z}}
    storage: [{{account: bio, bytes: 1500000000000}}]
    adjustments: [{{type: credit, project: P-BIO, charge: 2, reason: sorry}}]
    expect:
      jobs:
        - {{rule: core-hours, charge: 6, project: P-BIO, resource: {ALPHA}, login: mara}}
        - {{rule: GPU-hours, charge: 2, project: P-BIO, resource: {ALPHA}, login: mara, fields: {{Processors: "2"}}}}
        - {{rule: nothing, ignored: it did not run}}
        - {{refused: no-account, reason: "'zoe' has no account on P-BIO on {ALPHA}"}}
      storage: [{{rule: terabytes, charge: 1.5, project: P-BIO, resource: {ALPHA}, login: mara}}]
      adjustments: [{{charge: 2, project: P-BIO, resource: {ALPHA}, login: mara}}]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_site(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    return tmp_path


def run(site: Path, text: str) -> Suite:
    (site / "tests" / "case.yaml").write_text(text, encoding="utf-8")
    suite = Suite(None)
    with Stages.opened() as stages:
        list(suite.run([site / "tests"], stages))
    return suite


def case(usage: str, expect: str) -> str:
    return f"{GIVEN}usage_tests:\n  - name: case\n    {usage}\n    expect:\n      {expect}\n"


def outcome(site: Path, job: str, expect: str) -> str:
    return told(run(site, case(f"jobs: [{{account: bio, user: mara{job}}}]", f"jobs: [{expect}]")))


def test_they_pass_as_they_are(site: Path) -> None:
    suite = run(site, GOOD)
    assert (suite.findings, told(suite), len(suite.results), suite.invalid) == ([], "", 1, False)


@pytest.mark.parametrize("word", sorted(set(re.findall(r"(\w+):", GOOD[len(GIVEN) :])) - {"gpu", "00"}))
def test_a_misspelt_key_is_found(site: Path, word: str) -> None:
    text = GIVEN + re.sub(rf"\b{word}:", f"{word}x:", GOOD[len(GIVEN) :], count=1)
    suite = run(site, text)
    assert suite.invalid
    assert any(f"{word}x" in one.message and one.place and one.place.line for one in suite.findings), suite.findings


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("charge: 6", "charge: 6.5", "- {rule: core-hours, charge: 6.5"),
        ("rule: GPU-hours", "rule: core-hours", "+ - rule: GPU-hours"),
        ('Processors: "2"', "Processors: 3", 'fields: {Processors: "3"}'),
        ("ignored: it did not run", "ignored: it slept", "+ - {rule: nothing, ignored: it did not run}"),
        ("refused: no-account", "refused: no-project", "- {refused: no-project"),
        ("charge: 1.5", "charge: 2", "storage: expected (-), came (+)"),
        ("[{charge: 2,", "[{charge: 3,", "adjustments: expected (-), came (+)"),
        (f"        - {{refused: no-account, reason: \"'zoe' has no account on P-BIO on {ALPHA}\"}}\n", "", "+ - "),
        (re.findall(r"      storage: \[{rule.*\n", GOOD)[0], "", "storage: expected (-), came (+)"),
    ],
)
def test_what_is_not_as_expected_is_said(site: Path, right: str, wrong: str, said: str) -> None:
    assert right in GOOD
    suite = run(site, GOOD.replace(right, wrong))
    assert suite.findings == []
    assert said in told(suite)


@pytest.mark.parametrize(
    ("job", "expect"),
    [
        (", state: RUNNING", "{left_out: it has not ended}"),
        (", state: CANCELLED by 0, started: Unknown, ended: Unknown", "{left_out: it never ran}"),
        (", state: ODD", '{left_out: "it ended as ODD, which is not reported"}'),
        (", elapsed: -5", "{refused: bad-number, reason: \"elapsed is negative: '-5'\"}"),
        (", ended: 2026-03-05", "{partial: true, refused: clock}"),
        (", tres: billing", "{partial: true, refused: tres}"),
        (', tres: ""', "{partial: true, refused: rule}"),
        (", cpus: 2, started: 2026-02-01T00:00:00Z, elapsed: 1-00:00:00", "{partial: true, charge: 48}"),
        (", started: 1772323200, ended: 1772330400", "{partial: true, charge: 2}"),
        (", job_id: 7", "{job_id: 7, partial: true, login: mara}"),
    ],
)
def test_outcomes_of_one_job(site: Path, job: str, expect: str) -> None:
    assert outcome(site, job, expect) == ""


def test_further_fields_and_settings_are_what_rules_see(site: Path) -> None:
    charge = "{{ (job.more.Factor | int) * site.price * resource.factor }}"
    rules = f'usage: x\njobs: [{{name: a, charge: "{charge}"}}]\n'
    write_site(site, rules=rules, settings={"price": 1})
    text = case(
        "given: {settings: {price: 3}, resources: {alpha.site.example: {factor: 2}}}\n"
        "    jobs: [{account: bio, user: mara, more: {Factor: 5}}]",
        "jobs: [{partial: true, charge: 30}]",
    )
    assert told(run(site, text)) == ""


def test_what_cannot_be_sent_fails_the_test(site: Path) -> None:
    write_site(site, rules='usage: x\njobs: [{name: a, charge: 1, fields: {NodeCount: "{{ 0 }}"}}]\n')
    lenient = "jobs: [{partial: true, charge: 1}]"
    shown = told(run(site, case("jobs: [{account: bio, user: mara}]", lenient)))
    assert "a record cannot be sent: NodeCount" in shown
    suite = run(site, case("jobs: [{account: bio, user: mara}]", f"{lenient}\n      packets: []"))
    assert "+ - failed: " in told(suite) or "+ - {failed: " in told(suite)


def test_requests_to_the_usage_api(site: Path) -> None:
    api = {"url": "http://127.0.0.1:9", "key": "{{ secret.usage_api }}"}
    write_site(site, secrets={"usage_api": {"env": "NO_SUCH"}}, usage={"report": "api", "api": api})
    request = (
        "partial: true\n      requests: [{UsageType: Compute, Records: [{Username: mara, Charge: '1',"
        " LocalRecordID: '1', Attributes: {Queue: main}}]}]"
    ).replace("'", '"')
    text = case("jobs: [{account: bio, user: mara}]", request)
    assert told(run(site, text)) == ""
    assert '+       Charge: "1"' in told(run(site, text.replace('Charge: "1"', 'Charge: "2"')))
    packets = case("jobs: [{account: bio, user: mara}]", "partial: true\n      packets: []")
    assert "there are no packets: this site reports to the Usage API" in told(run(site, packets))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{GIVEN}usage_tests: []\n", "empty"),
        (GIVEN, "missing-key"),
        (case("description: x", "packets: []"), "missing-key"),
        (case("jobs: [{account: bio, user: mara}]", "partial: true"), "empty"),
        (case("jobs: [{account: bio, user: mara}]", "storage: []"), "bad-value"),
        (case("jobs: [{account: bio, user: mara}]", "jobs: [{rule: a}]"), "no-outcome"),
        (case("jobs: [{account: bio, user: mara}]", "jobs: [{charge: 1, ignored: x}]"), "several-outcomes"),
        (case("jobs: [{account: bio, user: mara}]", "jobs: [{refused: no-acount}]"), "bad-value"),
        (GOOD + GOOD[GOOD.index("  # two jobs") :], "duplicate-name"),
    ],
)
def test_what_is_wrong_with_a_file_is_found(site: Path, text: str, code: str) -> None:
    suite = run(site, text)
    assert suite.invalid
    assert [(one.code, one.place is not None) for one in suite.findings] == [(code, True)]


def test_a_site_without_usage_rules_or_with_several_clusters_says_so(site: Path) -> None:
    write_site(site, resources={ALPHA: {"cluster": "alpha"}, "b.site.example": {"cluster": "b"}})
    assert "the configuration has 2 clusters" in outcome(site, "", "{ignored: x}")
    (site / "rules" / "usage.yaml").write_text("usage: x\njobs: [{name: a}]\n", encoding="utf-8")
    assert "this rule has no outcome" in outcome(site, "", "{ignored: x}")
    (site / "rules" / "usage.yaml").unlink()
    assert "there is no usage.yaml in rules" in outcome(site, "", "{ignored: x}")


def test_usage_rules_in_a_folder_of_tests_are_no_test(site: Path) -> None:
    (site / "tests" / "usage.yaml").write_text(RULES, encoding="utf-8")
    assert not run(site, GOOD).invalid


def test_update_writes_what_came_and_leaves_all_else(site: Path) -> None:
    file = site / "tests" / "case.yaml"
    wrong = GOOD.replace("charge: 6,", "charge: 7,").replace("charge: 1.5", "charge: 1")
    file.write_text(wrong, encoding="utf-8")
    assert call("test", "--update").status == 0
    assert file.read_text(encoding="utf-8") == GOOD


def test_coverage_and_changes_of_usage_rules(site: Path) -> None:
    one = case("jobs: [{account: bio, user: mara}]", "partial: true\n      jobs: [{charge: 1}]")
    (site / "tests" / "case.yaml").write_text(one, encoding="utf-8")
    shown = call("test", "--coverage").stdout
    assert "rule 'nothing' is never chosen" in shown
    assert "`when: job.gpus > 0` is never true" in shown
    assert "`when: job.gpus > 0` is never false" not in shown
    assert "rule 'core-hours' is never chosen" not in shown
    (site / "tests" / "case.yaml").write_text(GOOD, encoding="utf-8")
    assert call("test", "--coverage-threshold", 100).status == 0
    changed = call("test", "--mutate").stdout
    assert "is negated: not noticed" not in changed
    assert "changes of the rules: 72.2 % noticed (13 of 18)" in changed
    vague = one.replace("charge: 1", "login: mara")
    (site / "tests" / "case.yaml").write_text(vague, encoding="utf-8")
    assert "`job.gpus > 0` is negated: not noticed (1 test could)" in call("test", "--mutate").stdout


def test_the_test_of_the_page_passes_with_the_shipped_rules(site: Path) -> None:
    page = (TOP / "docs" / "testing.md").read_text(encoding="utf-8")
    example = page.partition("<!-- usage test -->\n```yaml\n")[2].partition("```")[0]
    write_site(site, rules=(TOP / "rules" / "usage.yaml").read_text(encoding="utf-8"))
    suite = run(site, example)
    assert (told(suite), suite.invalid) == ("", False)


def test_the_schema_knows_why_something_is_refused() -> None:
    schema = read_schema("rule-test.schema")["definitions"]["usage_outcome"]["properties"]["refused"]
    assert set(CODES) <= set(schema["enum"])
