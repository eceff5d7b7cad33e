"""The values of usage rules as functions of a job: plain Python where kinds are known, the sandbox for all else."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from amierules.diagnostics import printable
from amierules.rulebook.compiled import ConditionValue, Constant, ExpressionValue, TemplateValue
from amierules.rulebook.model import Compiled, Condition
from amierules.templating import EvaluationError, Unknown
from amierules.templating.direct import BOOLEAN, MAPPING, NUMBER, Known, compiled, direct_source
from amierules.usage.fields import JOB, JobRow, tres_of
from amierules.usage.problem import Refusal

Project = Mapping[str, Any]
Resource = Mapping[str, Any]


class Scope(NamedTuple):
    """What a rule sees beside the job."""

    project: Project | None
    resource: Resource | None


Function = Callable[[Any, Scope], Any]
"""A value of a rule, from the row of a job (or a storage measurement) and its scope. Raises `Refusal`."""

_FAULTS = (TypeError, ArithmeticError, ValueError, LookupError)


class RowNames(Mapping[str, object]):
    """A job's fields as expressions ask for them."""

    def __init__(self, job: JobRow) -> None:
        self._job = job

    def __getitem__(self, name: str) -> object:
        return JOB[name].value(self._job)

    def __iter__(self) -> Any:
        return iter(JOB)

    def __len__(self) -> int:
        return len(JOB)


class _Names(Mapping[str, object]):
    """All names of an expression; variables are evaluated when they are asked for."""

    def __init__(self, names: Mapping[str, object], variables: Mapping[str, Compiled]) -> None:
        self._names = names
        self._variables = variables

    def __getitem__(self, name: str) -> object:
        if name in self._names:
            return self._names[name]
        return self._variables[name].evaluate(self)

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self._variables

    def __iter__(self) -> Any:
        return iter({**self._names, **self._variables})

    def __len__(self) -> int:
        return len({**self._names, **self._variables})


class Functions:
    """Makes functions of compiled values."""

    def __init__(
        self,
        variables: Mapping[str, Compiled],
        site: Mapping[str, Any],
        resources: Mapping[str, Mapping[str, Any]],
        name: str = "job",
    ) -> None:
        """`name` is what expressions call the row: `job` or `storage`."""
        self._variables = variables
        self._site = site
        self._name = name
        known = {f"job.{field}": one.direct for field, one in JOB.items() if one.direct is not None}
        self._known = {**known, "project": Known("s[0]", MAPPING), **_of_resources(resources)} if name == "job" else {}

    def condition(self, when: Condition | None) -> Function | None:
        """Whether a rule applies; None where it always does."""
        if when is None:
            return None
        # A condition of another class answers in its own way.
        parts = [self._direct(part) if type(when) is Condition else None for part in when.expressions]
        sources = [part.source for part in parts if part is not None]

        def slow(row: Any, scope: Scope) -> bool:
            return self._asked(when, row, scope) is True

        return _first(_compiled(f"bool({' and '.join(sources)})"), slow) if len(sources) == len(parts) else slow

    def value(self, value: Compiled | None) -> Function | None:
        """A value of a rule; None where there is none."""
        if value is None:
            return None
        if isinstance(value, Constant):
            constant = Decimal(repr(value.value)) if isinstance(value.value, float) else value.value
            return lambda row, scope: constant
        known = self._direct(value)

        def slow(row: Any, scope: Scope) -> object:
            return self._asked(value, row, scope)

        return slow if known is None else _first(_compiled(known.source), slow)

    def _direct(self, value: Compiled) -> Known | None:
        match value:
            case ConditionValue() | ExpressionValue():
                return direct_source(value.expression, self._known, self._definition)
            case TemplateValue() if value.template.expression is not None:
                return direct_source(value.template.expression, self._known, self._definition)
        return None

    def _definition(self, name: str) -> Any:
        value = self._variables.get(name)
        return value.template.tree if isinstance(value, TemplateValue) else None

    def _asked(self, value: Compiled | Condition, row: Any, scope: Scope) -> object:
        seen = RowNames(row) if self._name == "job" else row
        names = {self._name: seen, "project": scope.project, "resource": scope.resource, "site": self._site}
        try:
            found = value.evaluate(_Names(names, self._variables))
        except EvaluationError as error:
            where = f" ({error.place.file}, line {error.place.line})" if error.place is not None else ""
            raise Refusal("rule", printable(error.message, 300) + where + _lacking(row, self._name)) from error
        if isinstance(found, Unknown):
            raise Refusal("rule", "the value is not known")
        return found


def _lacking(row: Any, name: str) -> str:
    return "; it has no TRES" if name == "job" and not tres_of(row[15]).all else ""


def _of_resources(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, Known]:
    """Numbers that each resource of the configuration has: they are decimal numbers in every scope."""
    keys = set.intersection(*(set(values) for values in resources.values())) if resources else set()
    numeric = [key for key in keys if all(_is_number(values[key]) for values in resources.values())]
    return {f"resource.{key}": Known(f"s[1][{key!r}]", NUMBER) for key in numeric}


def as_resource(name: str, values: Mapping[str, Any]) -> Resource:
    """A resource of the configuration as rules see it: its numbers are decimal."""
    decimal = {key: Decimal(repr(value)) if _is_number(value) else value for key, value in values.items()}
    return {**decimal, "name": name}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compiled(source: str) -> Function:
    return compiled(source, "j, s", {"tres_of": tres_of})


def _first(direct: Function, slow: Function) -> Function:
    """The quick way; where it finds no value, the other says why."""

    def value(row: Any, scope: Scope) -> Any:
        try:
            return direct(row, scope)
        except _FAULTS:
            return slow(row, scope)

    return value


__all__ = ["BOOLEAN", "Function", "Functions", "Project", "Resource", "RowNames", "Scope", "as_resource"]
