"""A directory in memory for rule tests: entries, searches, and the refusals of a server that has no schema."""

from collections.abc import Mapping, Sequence

from amierules.ports.directory import DirectoryError, Entry, Modification, Trouble
from amierules.ports.ldap_directory import Access, LdapDirectory, parsed_dn
from amierules.ports.scripted.ldap_filter import matches, same_value

Dn = tuple[frozenset[tuple[str, str]], ...]
"""A DN as the server compares it: names of attributes and values without regard to case."""


class MemoryDirectory(LdapDirectory):
    """See `amierules.ports.directory.Directory`. The bases, and what is above them, are always there."""

    def __init__(self, bases: Sequence[str] = ()) -> None:
        super().__init__(Access("memory:"))
        self._bases = [_key(base) for base in bases if base]
        self._entries: dict[Dn, Entry] = {}

    def search(
        self, base: str, scope: str, filter_text: str, attributes: Sequence[str], timeout: float | None = None
    ) -> list[Entry]:
        """The entries that match, with these attributes or with all."""
        wanted = _key(base)
        if wanted not in self._entries and not self._is_base(wanted):
            raise DirectoryError(Trouble.NOT_THERE, f"No such object: {base}")
        found = [entry for key, entry in self._entries.items() if _within(key, wanted, scope)]
        return [_with(entry, attributes) for entry in found if matches(filter_text, entry)]

    def compare(self, dn: str, attribute: str, value: str, timeout: float | None = None) -> bool:
        """Whether the entry has the value, without regard to case and spaces."""
        entry = self._entries.get(_key(dn))
        return entry is not None and any(same_value(value, held) for held in entry.values(attribute))

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]], timeout: float | None = None) -> None:
        """Make an entry."""
        key = _key(dn)
        if key in self._entries:
            raise DirectoryError(Trouble.EXISTS, "Already exists")
        if key[1:] not in self._entries and not self._is_base(key[1:]):
            raise DirectoryError(Trouble.NOT_THERE, "No such object: there is no entry above it")
        self._entries[key] = Entry(dn, {name: list(values) for name, values in attributes.items()})

    def modify(self, dn: str, modifications: Sequence[Modification], timeout: float | None = None) -> None:
        """Change an entry, in one step."""
        key = _key(dn)
        if key not in self._entries:
            raise DirectoryError(Trouble.NOT_THERE, "No such object")
        held = {name: list(values) for name, values in self._entries[key].attributes.items()}
        for one in modifications:
            _modify(held, one)
        self._entries[key] = Entry(dn, {name: values for name, values in held.items() if values})

    def delete(self, dn: str, timeout: float | None = None) -> None:
        """Remove an entry that has none below it."""
        key = _key(dn)
        if key not in self._entries:
            raise DirectoryError(Trouble.NOT_THERE, "No such object")
        if any(other[1:] == key for other in self._entries):
            raise DirectoryError(Trouble.REFUSED, "Operation not allowed on non-leaf")
        del self._entries[key]

    def put(self, dn: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """What is there before anybody looks; nothing needs to be above it. Raises `DirectoryError`.

        What its name says of it, it has, as an entry of every server.
        """
        held = {name: list(values) for name, values in attributes.items()}
        for name, value in parsed_dn(dn)[0]:
            values = held.setdefault(next((known for known in held if known.lower() == name.lower()), name), [])
            if not any(same_value(known, value) for known in values):
                values.append(value)
        self._entries[_key(dn)] = Entry(dn, held)

    def entries(self) -> list[Entry]:
        """All that is there."""
        return list(self._entries.values())

    def _is_base(self, key: Dn) -> bool:
        return any(_within(base, key, "sub") for base in self._bases)


def _key(dn: str) -> Dn:
    return tuple(
        frozenset((name.lower(), " ".join(value.casefold().split())) for name, value in rdn) for rdn in parsed_dn(dn)
    )


def _within(key: Dn, base: Dn, scope: str) -> bool:
    if scope == "base":
        return key == base
    if scope == "one":
        return len(key) == len(base) + 1 and key[1:] == base
    return len(key) >= len(base) and (not base or key[-len(base) :] == base)


def _with(entry: Entry, attributes: Sequence[str]) -> Entry:
    wanted = {name.lower() for name in attributes}
    if not wanted or "*" in wanted:
        return entry
    return Entry(entry.dn, {name: held for name, held in entry.attributes.items() if name.lower() in wanted})


def _modify(held: dict[str, list[str]], one: Modification) -> None:
    name = next((known for known in held if known.lower() == one.attribute.lower()), one.attribute)
    values = held.setdefault(name, [])
    if one.op == "replace":
        held[name] = list(one.values)
        return
    for value in one.values:
        there = next((known for known in values if same_value(known, value)), None)
        if one.op == "add":
            if there is not None:
                raise DirectoryError(Trouble.VALUE_EXISTS, f"Type or value exists: {one.attribute}")
            values.append(value)
        else:
            if there is None:
                raise DirectoryError(Trouble.NO_SUCH_VALUE, f"No such attribute: {one.attribute}")
            values.remove(there)
