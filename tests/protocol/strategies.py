"""Bodies and JSON values for property tests."""

from typing import Any

from hypothesis import strategies as st

from amierules.protocol.catalogue import Tag, TagKind, catalogue

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
scalars = st.one_of(
    texts, st.integers(), st.booleans(), st.none(), st.decimals(allow_nan=False, allow_infinity=False, places=3)
)


def objects(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Sparse objects of subtags."""
    return st.dictionaries(names, scalars, max_size=3)


def values_of(tag: Tag) -> st.SearchStrategy[Any]:
    """Values of the tag's own kind, empty and missing ones too."""
    if tag.kind is TagKind.LIST:
        return st.lists(scalars, max_size=4)
    names = st.sampled_from(tag.subtags or ("x",))
    if tag.kind is TagKind.OBJECTS:
        return st.lists(objects(names), max_size=4)
    return objects(names) if tag.kind is TagKind.OBJECT else scalars


any_value = st.one_of(
    scalars,
    st.lists(st.one_of(scalars, objects(texts)), max_size=4),
    objects(texts),
)

known_bodies = st.lists(st.sampled_from(sorted(catalogue().tags)), max_size=6, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: values_of(catalogue().tags[name]) for name in names})
)
"""Bodies of known tags with values of their kinds."""

any_bodies = st.dictionaries(st.one_of(texts, st.sampled_from(sorted(catalogue().tags))), any_value, max_size=6)
"""Bodies of known and unknown tags with values of any kind."""

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=10,
)
