"""Usage rules: what is found in them beforehand, and that the quick way charges as the sandbox does."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.database.rows import Account, Person, Project
from amierules.diagnostics import Finding
from amierules.rulebook.compiled import ExpressionValue
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.nodes import ScalarNode
from amierules.rulebook.yaml_reader import load_yaml
from amierules.templating import Environment, EvaluationError
from amierules.templating.direct import direct_source
from amierules.usage.charging import Charged, Charger, Ignored, shown_units
from amierules.usage.fields import JOB
from amierules.usage.jobs import JobReader
from amierules.usage.model import UsageRules
from amierules.usage.people import Book
from amierules.usage.problem import Refusal
from amierules.usage.rules import load_usage_rules
from amierules.usage.values import Functions, RowNames, Scope
from tests.support.usage import ALPHA, NOW, raw, write_site

READER = JobReader({"COMPLETED"}, 300, int(NOW.timestamp()))
BOOK = Book(
    [
        Person("p1", logins=("mara", "mara2")),
        Project("k1", "P-BIO", "BIO1", "bio", pi="p1", title="Biology", data={"factor": 3}),
        Account("p1", "k1", ALPHA, "mara"),
    ]
)
ENVIRONMENT = Environment()


def loaded(folder: Path, rules: str) -> tuple[UsageRules | None, list[Finding], Configuration]:
    configuration, wrong = load_configuration(write_site(folder, rules=rules), {})
    assert configuration is not None, wrong
    found, findings = load_usage_rules(folder / "rules" / "usage.yaml", Environment(), configuration)
    return found, findings, configuration


def charger(folder: Path, rules: str) -> Charger:
    found, findings, configuration = loaded(folder, rules)
    assert found is not None, findings
    functions = Functions(found.variables, configuration.settings, configuration.resources)
    return Charger(found.jobs, functions, BOOK, configuration)


def charged(folder: Path, rules: str, **job: object) -> Charged:
    return charger(folder, f"usage: test\njobs:\n{rules}").job(READER.job(raw(1, **job)))


def units(folder: Path, rules: str, **job: object) -> str:
    return shown_units(charged(folder, rules, **job)[4])


@pytest.mark.parametrize(
    ("charge", "wanted"),
    [
        ("job.nodes * job.hours", "2"),
        ("job.cpus * job.hours", "8"),
        ("job.gpus * job.hours", "3"),
        ("job.billing * job.hours", "17"),
        ("[job.cpus, job.memory / 4] | max * job.hours", "8"),
        ("[job.cpus, job.memory] | max * job.hours", "16"),
        ("job.tres['gres/gpu:a100'] * job.hours", "2"),
        ("job.cpus * job.hours * resource.factor", "12"),
        ("job.cpus * job.hours * project.data.factor", "24"),
        ("job.cpus * job.hours * (0.1 if job.qos == 'low' else 1)", "8"),
        ("job.cpus * job.hours / 3", "2.666667"),
        ("0", "0"),
    ],
)
def test_what_may_be_charged(tmp_path: Path, charge: str, wanted: str) -> None:
    tres = "billing=17,cpu=8,gres/gpu:a100=2,gres/gpu:v100=1,mem=16G,node=2"
    assert units(tmp_path, f'  - {{name: a, charge: "{{{{ {charge} }}}}"}}', nodes=2, cpus=8, tres=tres) == wanted


def test_the_first_rule_that_applies_decides_and_says_what_is_reported(tmp_path: Path) -> None:
    rules = """\
  - name: free
    when: job.partition in ['debug', 'test']
    ignore: "{{ job.partition }} is free"
  - name: named
    when: job.partition == 'named'
    charge: 1
    project: "X-{{ job.account }}"
    login: "{{ job.user }}"
    resource: alpha.site.example
    fields: {Queue: big, JobName: "{{ none }}"}
  - {name: rest, charge: 2.5}
"""
    with pytest.raises(Ignored, match="debug is free"):
        charged(tmp_path, rules, partition="debug")
    named = charged(tmp_path, rules, partition="named", account="chem", login="zoe")
    assert named[:4] == ("named", "X-chem", ALPHA, "zoe")
    assert named[5] == '{"Queue": "big", "JobName": null}'
    assert charged(tmp_path, rules) == ("rest", "P-BIO", ALPHA, "mara", 2_500_000, None)


def test_the_registry_says_whose_project_and_which_login_it_is(tmp_path: Path) -> None:
    rules = "  - {name: a, charge: 1}"
    assert charged(tmp_path, rules, account="BIO", login="mara2")[1:4] == ("P-BIO", ALPHA, "mara")
    assert charged(tmp_path, rules, account="p-bio")[1] == "P-BIO"
    for job, code in (
        ({"account": "chem"}, "no-project"),
        ({"login": "joe"}, "no-account"),
        ({"cluster": "z"}, "no-resource"),
    ):
        with pytest.raises(Refusal) as refused:
            charged(tmp_path, rules, **job)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("digits", "mode", "elapsed", "wanted"),
    [
        (2, "half_up", 18, "0.01"),
        (2, "half_even", 18, "0"),
        (2, "up", 1, "0.01"),
        (2, "down", 35, "0"),
        (0, "half_up", 1800, "1"),
        (6, "half_up", 1, "0.000278"),
    ],
)
def test_charges_are_rounded_as_decimal_numbers(
    tmp_path: Path, digits: int, mode: str, elapsed: int, wanted: str
) -> None:
    rules = f'  - {{name: a, charge: "{{{{ job.hours }}}}", round: {{digits: {digits}, mode: {mode}}}}}'
    assert units(tmp_path, rules, elapsed=elapsed) == wanted


def test_a_minimum_holds_where_anything_is_charged(tmp_path: Path) -> None:
    rules = '  - {name: a, charge: "{{ job.hours }}", minimum: 0.5}'
    assert [units(tmp_path, rules, elapsed=seconds) for seconds in (0, 1, 7200)] == ["0", "0.5", "2"]


@pytest.mark.parametrize(
    ("charge", "said"),
    [
        ("job.billing * job.hours", "does not work on none and a number.*it has no TRES"),
        ("job.hours / (job.cpus - job.cpus)", "divi"),
        ("job.more.Reservation | int", "has no attribute Reservation"),
        ("0 - job.hours", "the charge is negative: -1"),
        ("job.limit * 1", "does not work on none"),
    ],
)
def test_a_job_that_a_rule_cannot_charge_is_refused_with_the_reason(tmp_path: Path, charge: str, said: str) -> None:
    rules = f'  - {{name: a, charge: "{{{{ {charge} }}}}"}}'
    with pytest.raises(Refusal, match=said):
        charged(tmp_path, rules, tres="", time_limit="UNLIMITED")


@pytest.mark.parametrize(
    ("rules", "code", "line", "column", "hint"),
    [
        ('  - {name: a, charge: "{{ job.cpu * job.hours }}"}', "unknown-attribute", 3, 31, "did you mean 'cpus'?"),
        ('  - {name: a, charge: "{{ jobs.cpus }}"}', "unknown-name", 3, 27, "did you mean 'job'?"),
        ('  - {name: a, charge: "{{ cpus }}"}', "unknown-name", 3, 27, "write job.cpus"),
        ('  - {name: a, charge: "{{ job.name }}"}', "not-a-number", 3, 23, ""),
        ("  - {name: a, charge: 1, resource: alpha.site.exmple}", "unknown-resource", 3, 36, "did you mean"),
        ("  - {name: a}", "no-outcome", 3, 5, "end it with charge or ignore"),
        ("  - {name: a, charge: 1, ignore: x}", "several-outcomes", 3, 26, "exactly one"),
        ("  - {name: a, chrge: 1}", "unknown-key", 3, 15, "did you mean 'charge'?"),
        ("  - {name: a, charge: 1, round: {digits: 7}}", "bad-value", 3, 42, ""),
        ('  - {name: a, when: "{{ job.cpus > 1 }}", charge: 1}', "bare-expression", 3, 21, "write job.cpus > 1"),
        ("  - {name: a, when: job.cpus > 'x', charge: 1}", "different-types", 3, 21, ""),
    ],
)
def test_mistakes_are_found_where_they_stand(
    tmp_path: Path, rules: str, code: str, line: int, column: int, hint: str
) -> None:
    found, findings, _ = loaded(tmp_path, f"usage: test\njobs:\n{rules}\n")
    assert found is None
    assert [one.code for one in findings].count(code) == 1, findings
    (finding,) = [one for one in findings if one.code == code]
    assert finding.place is not None
    assert (finding.place.line, finding.place.column) == (line, column), finding
    assert hint in finding.hint


def test_usage_rules_are_no_rule_file(tmp_path: Path) -> None:
    _, findings, configuration = loaded(tmp_path, "usage: test\njobs:\n  - {name: a, charge: 1}\n")
    assert findings == []
    rulebook, found = load_rulebook(configuration.rules, {}, Environment())
    assert not [one for one in found if one.place is not None and one.place.file.endswith("usage.yaml")]
    assert not rulebook.broken


NUMBERS = st.sampled_from(
    ["job.cpus", "job.nodes", "job.elapsed", "job.hours", "job.gpus", "job.memory", "job.limit", "2", "0.1", "3.5", "0"]
)
CONDITIONS = st.sampled_from(
    ["job.partition == 'main'", "job.gpus > 0", "job.user in ['mara', 'x']", "project is none", "job.cpus >= 4"]
)


def _deeper(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(numbers, st.sampled_from("+-*/"), numbers).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        st.tuples(numbers, CONDITIONS, numbers).map(lambda it: f"({it[0]} if {it[1]} else {it[2]})"),
        st.tuples(numbers, numbers).map(lambda it: f"([{it[0]}, {it[1]}] | max)"),
        numbers.map(lambda it: f"(-{it})"),
        st.tuples(numbers, CONDITIONS, CONDITIONS).map(lambda it: f"({it[0]} if {it[1]} and not {it[2]} else 1)"),
    )


@given(
    st.recursive(NUMBERS, _deeper, max_leaves=8),
    st.integers(0, 10**6),
    st.integers(0, 4096),
    st.sampled_from(["", "billing=1,cpu=4,gres/gpu=2,mem=7G"]),
    st.sampled_from(["main", "gpu"]),
)
def test_the_quick_way_has_the_sandboxs_values(source: str, elapsed: int, cpus: int, tres: str, partition: str) -> None:
    expression = ENVIRONMENT.expression(source)
    node, _ = load_yaml(f'"{source}"', "test")
    assert isinstance(node, ScalarNode)
    quick = Functions({}, {}, {}).value(ExpressionValue(node, expression))
    assert quick is not None
    job = READER.job(raw(1, elapsed=elapsed, cpus=cpus, tres=tres, partition=partition))
    try:
        wanted = expression.value({"job": RowNames(job), "project": None})
    except EvaluationError:
        with pytest.raises(Refusal):
            quick(job, Scope(None, None))
        return
    found = quick(job, Scope(None, None))
    assert found is wanted is None or Decimal(str(found)) == Decimal(str(wanted))


def test_what_most_rules_ask_goes_the_quick_way() -> None:
    known = {f"job.{name}": one.direct for name, one in JOB.items() if one.direct is not None}
    quick = ["job.cpus * job.hours", "[job.cpus, job.memory / 4] | max", "job.gpus > 0 and job.qos in ['a', 'b']"]
    slow = ["job.submitted.year * 1", "job.more.Reservation == 'x'", "job.name.startswith('x')"]
    found = [direct_source(ENVIRONMENT.expression(one), known, lambda name: None) for one in (*quick, *slow)]
    assert [one is not None for one in found] == [True] * 3 + [False] * 3


def test_a_variable_that_speaks_of_jobs_is_no_mistake_where_storage_is_charged_too(tmp_path: Path) -> None:
    text = """usage: both
vars: {urgent: "{{ 2 if job.qos == 'urgent' else 1 }}", typo: "{{ jbo.cpus }}"}
jobs: [{name: a, charge: "{{ job.cpus * urgent }}"}]
storage: [{name: b, charge: "{{ storage.bytes }}"}]
"""
    file = tmp_path / "usage.yaml"
    file.write_text(text, encoding="utf-8")
    _, findings = load_usage_rules(file, Environment(), None)
    assert [(one.code, one.message) for one in findings] == [("unknown-name", "'jbo' is not defined here")]
    file.write_text(text.replace("storage.bytes", "storage.bytes * urgent"), encoding="utf-8")
    _, findings = load_usage_rules(file, Environment(), None)
    assert ("unknown-name", "'job' is not defined here") in [(one.code, one.message) for one in findings]
