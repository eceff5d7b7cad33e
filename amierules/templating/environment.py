"""The environment: what compiles expressions, templates and commands."""

from amierules.templating.commands import Command
from amierules.templating.compiled import Expression, Template
from amierules.templating.ldap_texts import DistinguishedName, Filter
from amierules.templating.sandbox import Sandbox
from amierules.templating.shell import Script


class Environment:
    """Compiles sources, each once; what it gives out can be shared between threads."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()
        self._expressions: dict[str, Expression] = {}
        self._templates: dict[str, Template] = {}

    @property
    def filter_names(self) -> frozenset[str]:
        """The filters that expressions may use."""
        return frozenset(self._sandbox.filters)

    @property
    def test_names(self) -> frozenset[str]:
        """The tests that may follow `is`."""
        return frozenset(self._sandbox.tests)

    def expression(self, source: str) -> Expression:
        """A bare expression. Raises `TemplateSyntaxProblem`."""
        if source not in self._expressions:
            self._expressions[source] = Expression(self._sandbox, source)
        return self._expressions[source]

    def template(self, source: str) -> Template:
        """A string that may hold expressions. Raises `TemplateSyntaxProblem`."""
        if source not in self._templates:
            self._templates[source] = Template(self._sandbox, source)
        return self._templates[source]

    def script(self, source: str) -> Script:
        """A shell script whose expressions become variables. Raises the same."""
        return Script(self._sandbox, source)

    def command(self, source: str | list[str]) -> Command:
        """A command's words: a text that is split as a shell would, or a list of words. Raises the same."""
        return Command(self._sandbox, source)

    def distinguished_name(self, source: str) -> DistinguishedName:
        """A DN of LDAP whose values may hold expressions. Raises the same."""
        return DistinguishedName(self._sandbox, source)

    def ldap_filter(self, source: str) -> Filter:
        """A filter of LDAP whose values may hold expressions. Raises the same."""
        return Filter(self._sandbox, source)
