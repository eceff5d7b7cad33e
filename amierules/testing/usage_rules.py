"""The usage rules of a site that is tested: read when a test first needs them, and watched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from amierules.diagnostics import Finding
from amierules.rulebook.configuration import Configuration
from amierules.templating import Environment
from amierules.testing.model import CannotBePlayed
from amierules.testing.watching import Part, Watch
from amierules.usage.model import UsageRule, UsageRules
from amierules.usage.rules import find_usage_file, load_usage_rules, no_usage_rules


@dataclass
class TestedUsage:
    """The usage rules of a configuration."""

    configuration: Configuration
    watch: Watch
    findings: list[Finding] = field(default_factory=list)
    """What is wrong with them."""
    there: UsageRules | None = None
    _is_read: bool = False

    def rules(self) -> UsageRules:
        """The rules. Raises `CannotBePlayed` where there are none, or they cannot be used."""
        found = self.read()
        if found is None:
            raise CannotBePlayed(self.findings or [no_usage_rules(self.configuration)])
        return found

    def read(self) -> UsageRules | None:
        """The rules; None where there are none, or they cannot be used."""
        if not self._is_read:
            self._is_read = True
            path = find_usage_file(self.configuration.rules)
            if path is not None:
                rules, self.findings = load_usage_rules(path, Environment(), self.configuration)
                self.there = None if rules is None else self._watched(rules)
        return self.there

    def chosen(self, name: str, kind: str) -> None:
        """Notes that a rule under `jobs` or `storage` has decided."""
        rules = self.rules().jobs if kind == "jobs" else self.rules().storage
        self.watch.used.update((Part.RULE, one.place) for one in rules if one.name == name)

    @contextmanager
    def changed(self, change: Callable[[UsageRules], UsageRules]) -> Iterator[None]:
        """Within it the rules are others. They have been read."""
        rules = self.rules()
        self.there = change(rules)
        try:
            yield
        finally:
            self.there = rules

    def _watched(self, rules: UsageRules) -> UsageRules:
        def each(listed: tuple[UsageRule, ...]) -> tuple[UsageRule, ...]:
            return tuple(replace(one, when=self.watch.condition(one.when)) for one in listed)

        return replace(rules, jobs=each(rules.jobs), storage=each(rules.storage))
