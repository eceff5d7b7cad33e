"""Programs that nobody scripted, in a scratch copy of a site: they are taken to do what they are asked to."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from amierules.ports.directory import Entry
from amierules.ports.ldap_directory import parsed_dn
from amierules.ports.scripted import Answer, Call, MemoryDirectory, Script

_EQUAL = re.compile(r"\(([A-Za-z][A-Za-z0-9;-]*)=([^()*\\]+)\)")
_ONLY_EQUAL = re.compile(r"\(&(\([A-Za-z][A-Za-z0-9;-]*=[^()*\\]+\)){2,}\)")


@dataclass
class AssumingScript(Script):
    """Answers with success whatever nothing else answers, and remembers it."""

    modelled: Collection[str] = ()
    """The programs of this host that have a model."""
    assumed: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> Answer | None:
        """The scripted answer; else success, unless a model answers."""
        found = super().answer(call)
        if found is not None or (call.nodes is None and os.path.basename(call.words[0]) in self.modelled):
            return found
        if call not in self.assumed:
            self.assumed.append(call)
        return Answer()

    def programs(self) -> list[str]:
        """The names of the programs that were taken to succeed, those on other nodes with the nodes."""
        named = (
            f"{os.path.basename(one.words[0])} on {', '.join(one.nodes)}" if one.nodes else one.words[0]
            for one in self.assumed
        )
        return sorted(set(named))


class AssumedDirectory(MemoryDirectory):
    """A directory that also has what an assumed program was told to put there.

    An entry whose name an assumed program was given is there when it is asked for by its DN, and one that is searched
    for by two or more values when such a program was given all of them.
    """

    def __init__(self, bases: Sequence[str], script: AssumingScript) -> None:
        super().__init__(bases)
        self._script = script

    def search(
        self, base: str, scope: str, filter_text: str, attributes: Sequence[str], timeout: float | None = None
    ) -> list[Entry]:
        """The entries that match, with these attributes or with all."""
        if scope == "base":
            self._assume_entry(base)
        found = super().search(base, scope, filter_text, attributes, timeout)
        if found or not _ONLY_EQUAL.fullmatch(filter_text):
            return found
        wanted = _EQUAL.findall(filter_text)
        if self._was_given([value for _, value in wanted]):
            (name, value), *_ = wanted
            self.put(f"{name}={value},{base}", {"objectClass": ["top"], **{name: [value] for name, value in wanted}})
        return super().search(base, scope, filter_text, attributes, timeout)

    def _assume_entry(self, dn: str) -> None:
        rdn, *_ = parsed_dn(dn)
        if self._was_given([value for _, value in rdn]) and all(entry.dn != dn for entry in self.entries()):
            self.put(dn, {"objectClass": ["top"], **{name: [value] for name, value in rdn}})

    def _was_given(self, values: Sequence[str]) -> bool:
        return any(all(value in call.words for value in values) for call in self._script.assumed)
