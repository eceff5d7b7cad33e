"""What other languages and tools call things, and what is written for them here."""

from collections.abc import Mapping

SIGNS: Mapping[str, str] = {
    "&&": "write `and`",
    "||": "write `or`",
    "=": "equal is written `==`",
    "!": "write `not`",
    "}": "an expression ends with `}}`",
    "?": "write `A if CONDITION else B`",
    "#": "a comment begins with a space and #",
    "$": "write packet.NAME, site.NAME or the variable's own name",
    **dict.fromkeys("\u2018\u2019\u201c\u201d\u201e\xab\xbb", "quotes are ' or \""),
}
"""By the sign with which what cannot be read begins."""

TESTS: Mapping[str, str] = {
    **dict.fromkeys(("null", "nil", "None", "missing", "absent", "skipped", "nothing"), "write `is none`"),
    "empty": "write `== []` for a list, `is none` for a tag",
    **dict.fromkeys(("present", "set"), "write `is not none`"),
    **dict.fromkeys(("failed", "failure"), "ask the result itself, like `seen.rc != 0`"),
    **dict.fromkeys(("succeeded", "success"), "ask the result itself, like `seen.rc == 0`"),
    "changed": "ask the result itself",
    **dict.fromkeys(("match", "search", "regex", "contains"), "write `'part' in x`, `x.startswith('part')`"),
    **dict.fromkeys(("list", "array"), "write `is iterable`"),
}
"""Behind `is`."""

FILTERS: Mapping[str, str] = {
    "bool": "compare instead, like `x == 'yes'`",
    **dict.fromkeys(("strip", "chomp"), "write trim"),
    **dict.fromkeys(("len", "size"), "write length"),
    **dict.fromkeys(("str", "to_text", "text"), "write string"),
    "to_json": "write tojson",
    **dict.fromkeys(("tolower", "lowercase"), "write lower"),
    **dict.fromkeys(("toupper", "uppercase"), "write upper"),
    "split": "write x.split(',')",
    **dict.fromkeys(("regex_replace", "sub"), "write replace"),
    **dict.fromkeys(("quote", "shquote", "e", "escape"), "no shell reads a value: leave it out"),
    "mandatory": "a value that may be none is asked with `is not none`",
    "sorted": "write sort",
    "filter": "write select or selectattr",
}
"""Behind `|`."""

NAMES: Mapping[str, str] = {
    **dict.fromkeys(("null", "nil", "NULL", "undefined"), "nothing is called none: write `is none`, `is not none`"),
    **dict.fromkeys(("yes", "on"), "write true"),
    **dict.fromkeys(("no", "off"), "write false"),
    **dict.fromkeys(("exists", "defined", "isset", "empty"), "write `x is none`, `x is not none`"),
    **dict.fromkeys(("len", "size"), "write `x | length`"),
    **dict.fromkeys(("str", "text"), "write `x | string`"),
    "int": "write `x | int`",
    "float": "write `x | float`",
    "sorted": "write `x | sort`",
    **dict.fromkeys(
        ("lookup", "env", "environ"), "secrets are `secret.NAME`, all else stands under `settings:`, as `site.NAME`"
    ),
    **dict.fromkeys(("settings", "config", "configuration"), "write site.NAME"),
    "secrets": "write secret.NAME",
    "resources": "write resource.NAME, of the packet's resource",
    **dict.fromkeys(("body", "request", "msg", "message", "data", "event"), "write packet.NAME"),
    **dict.fromkeys(("user", "pi"), "write person"),
    **dict.fromkeys(("grant", "group"), "write project"),
    **dict.fromkeys(
        ("hostvars", "inventory_hostname", "groups"),
        "rules know no hosts; what differs stands under `settings:`, as `site.NAME`",
    ),
    "vars": "write the variable's own name",
    "result": "write the name that `register` gives",
}
"""As a name."""

_HEADER = (
    *("packet_rec_id", "remote_packet_rec_id", "trans_rec_id", "transaction_id", "packet_id", "type", "timestamp"),
    *("originating_site_name", "local_site_name", "remote_site_name"),
)
TAGS: Mapping[str, str] = {
    **{name: f"write header.{name}" for name in _HEADER},
    **dict.fromkeys(("body", "data", "tags"), "tags stand straight behind it: packet.NAME"),
    "header": "write header.NAME",
}
"""As a tag of a packet."""

FACTS = "rules know no facts; what differs stands under `settings:`, as `site.NAME`"
"""For a name that begins with `ansible_`."""


def name_hint(name: str) -> str:
    """What to write instead of a name that other tools have; empty where it is none of theirs."""
    return NAMES.get(name, FACTS if name.startswith("ansible_") else "")
