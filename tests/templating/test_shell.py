"""Shell scripts: where an expression may stand, and what becomes of it there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.templating import Environment, EvaluationError, Secret, TemplateSyntaxProblem, Unknown

ENVIRONMENT = Environment()


@pytest.mark.parametrize(
    ("source", "script"),
    [
        ("echo {{ a }}", 'echo "${AMIE_1}"'),
        ("echo x{{ a }}y{{ b }}", 'echo x"${AMIE_1}"y"${AMIE_2}"'),
        ("X={{ a }} env; Y={{ b }}", 'X="${AMIE_1}" env; Y="${AMIE_2}"'),
        ("cat < {{ a }} > {{ b }}", 'cat < "${AMIE_1}" > "${AMIE_2}"'),
        ("a=1; if test -n {{ a }}; then echo {{ b }}; fi", None),
        ('for x in {{ a }} {{ b }}; do echo "$x"; done', None),
        ("echo 'it''s' \"a $(date) $x\" `date` $(echo ')' \")\") {{ a }}", None),
        ("# don't\necho {{ a }} # it's {no}\necho '#' x#'{' {{ b }}", None),
        ("cat <<E\nit's\nE\necho {{ a }}", None),
        ("cat <<-'E' | tr a b\n\tit's \"\n\tE\necho {{ a }}", None),
        ("cat <<A <<B\n'\nA\n\"\nB\necho {{ a }}", None),
        ("echo \\' \\\" {{ a }}", None),
        ("echo {{ a | default('it\\'s \"') }}", None),
        ("f() { echo {{ a }}; }; f", None),
        ("test -e /x || touch {{ a }} && (cd {{ b }} && ls)", None),
        ("sh /opt/script {{ a }}", None),
        ("[ {{ a }} = x ]", None),
    ],
)
def test_an_expression_outside_of_quotes_becomes_a_variable(source: str, script: str | None) -> None:
    compiled = ENVIRONMENT.script(source)
    assert script is None or compiled.text == script
    assert "{{" not in compiled.text
    values = compiled.evaluate({"a": "1 2", "b": "$(x)"})
    assert list(values.values()) == ["1 2", "$(x)"][: len(values)]
    assert values


@pytest.mark.parametrize(
    "source",
    [
        "echo '{{ a }}'",
        'echo "{{ a }}"',
        'echo "x {{ a }}',
        "echo 'x {{ a }}",
        "echo it's {{ a }} isn't",
        "echo $(echo {{ a }})",
        'echo "$(echo {{ a }})"',
        "echo $(( {{ a }} + 1 ))",
        "(( x = {{ a }} ))",
        "echo `echo {{ a }}`",
        "echo ${x:-{{ a }}}",
        "echo <({{ a }})",
        "cat <<E\n{{ a }}\nE\n",
        "cat <<'E'\n{{ a }}\nE\n",
        "cat <<-E\n\t{{ a }}\n\tE\n",
        "cat <<E\n x\n{{ a }}",
        "cat <<{{ a }}\nx\n",
        "echo # {{ a }}",
        "echo \\{{ a }}",
        "echo ${{ a }}",
        "echo $'x' {{ a }}",
        "{{ a }}",
        "{{ a }} x",
        "x; {{ a }}",
        "x | {{ a }}",
        "x && {{ a }} y",
        "x\n{{ a }}",
        "({{ a }})",
        "if {{ a }}; then x; fi",
        "! {{ a }}",
        "X=1 {{ a }}",
        "> /tmp/x {{ a }}",
        "exec {{ a }}",
        "command {{ a }}",
        "ev{{ a }} x",
        "/opt/{{ a }} x",
        "eval {{ a }}",
        "'eval' {{ a }}",
        "command eval x {{ a }}",
        "sudo sh -c {{ a }}",
        "/bin/bash -ec {{ a }}",
        "su - root -c {{ a }}",
        "ssh host ls {{ a }}",
        ". {{ a }}",
        "source {{ a }}",
        "trap {{ a }} EXIT",
        "[[ {{ a }} -eq 1 ]]",
        "test -v {{ a }}",
        "unset {{ a }}",
        "let {{ a }}",
        "read {{ a }}",
    ],
)
def test_an_expression_in_another_place_is_refused_where_it_stands(source: str) -> None:
    with pytest.raises(TemplateSyntaxProblem) as problem:
        ENVIRONMENT.script(source)
    assert problem.value.code == "shell-quoting"
    assert problem.value.offset is not None
    assert problem.value.hint
    if "cannot stand" in problem.value.message:
        assert source[problem.value.offset :].startswith("{{ a }}")
        assert problem.value.length == len("{{ a }}")


@pytest.mark.parametrize(
    "source", ["echo {% if x %}", "echo {# x #}", "echo {{- a }}", "echo {{ a", "echo {{ a b }}", ""]
)
def test_what_is_no_script_is_refused(source: str) -> None:
    with pytest.raises(TemplateSyntaxProblem):
        ENVIRONMENT.script(source)


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("rm {{ a }}", True),
        ("rm -f {{ a }}", True),
        ("rm \\\n{{ a }}", True),
        ("rm ''{{ a }}", True),
        ('rm ""{{ a }}', True),
        ("rm $nothing{{ a }}", True),
        ("rm {{ '' }}{{ a }}", True),
        ("rm {{ 'x' }}{{ a }}", False),
        ("rm -- x {{ a }}", False),
        ("rm -- x; rm {{ a }}", True),
        ("rm {{ a | option }}", False),
        ("rm ./{{ a }}", False),
        ("rm --file={{ a }}", False),
        ("X={{ a }}", False),
    ],
)
def test_a_value_is_no_option_by_accident(source: str, refused: bool) -> None:
    script = ENVIRONMENT.script(source)
    if not refused:
        assert "-rf" in script.evaluate({"a": "-rf"}).values()
        return
    with pytest.raises(EvaluationError) as error:
        script.evaluate({"a": "-rf"})
    assert error.value.code == "option-injection"


@pytest.mark.parametrize(
    ("value", "code"), [(None, "none-word"), (["x"], "not-text"), ({}, "not-text"), ("\0", "nul-character")]
)
def test_a_value_that_is_no_text_is_refused(value: object, code: str) -> None:
    with pytest.raises(EvaluationError) as error:
        ENVIRONMENT.script("echo {{ a }}").evaluate({"a": value})
    assert error.value.code == code


def test_unknown_and_secret_values_stay_what_they_are() -> None:
    values = ENVIRONMENT.script("echo {{ a }} x{{ b }} {{ c ~ 'x' }}").evaluate(
        {"a": Unknown("step"), "b": Secret("s"), "c": Unknown("other")}
    )
    assert [isinstance(value, Unknown) for value in values.values()] == [True, False, True]
    assert str(values["AMIE_2"]) == "***"


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    for source in (text, text + "{{ a }}", "echo " + text + " {{ a }}"):
        try:
            script = ENVIRONMENT.script(source)
        except TemplateSyntaxProblem:
            continue
        assert "{{ a }}" not in script.text
