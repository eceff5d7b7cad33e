"""The options and arguments of `amierules test`."""

from pathlib import Path
from typing import Annotated

import typer

from amierules.rulebook.files import read_yaml
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.structure import mappings_in
from amierules.testing.suite import default_paths

PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH", help="Test files, or folders with such; tests/ by default.", show_default=False),
]


def names_of_tests(incomplete: str) -> list[str]:
    """The names of a site's tests that begin like this, for shells that complete them. Raises nothing."""
    names = []
    for path in default_paths(None):
        for file in sorted(path.rglob("*.yaml")) if path.is_dir() else ():
            root, _ = read_yaml(file)
            tests = [root.get(key) for key in ("tests", "usage_tests")] if isinstance(root, MappingNode) else []
            found = (node.get("name") for listed in tests for node in mappings_in(listed))
            names += [node.text for node in found if isinstance(node, ScalarNode)]
    return [name for name in names if name.startswith(incomplete)]


KeywordOption = Annotated[
    list[str] | None,
    typer.Option(
        "-k",
        metavar="TEXT",
        help="Only tests with this text in file:name.",
        show_default=False,
        autocompletion=names_of_tests,
    ),
]
StopOption = Annotated[bool, typer.Option("--exitfirst", "-x", help="Stop at the first test that fails.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show each test, not only those that fail.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="So many processes play the tests; by default one, and from 50 tests on one for each processor.",
        show_default=False,
    ),
]
CoverageOption = Annotated[bool, typer.Option("--coverage", help="Show what of the rules no test uses.")]
CoverageThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--coverage-threshold",
        metavar="N",
        min=0,
        max=100,
        help="End with 1 if the tests use less than so many percent of the rules.",
        show_default=False,
    ),
]
UpdateOption = Annotated[
    bool, typer.Option("--update", help="Write into the test files what came; shows the difference.")
]
JunitOption = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write the results as JUnit's XML, too.", show_default=False),
]
MutateOption = Annotated[
    bool, typer.Option("--mutate", help="Change the rules, one thing at a time, and show what no test notices.")
]
MutationThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--mutation-threshold",
        metavar="N",
        min=0,
        max=100,
        help="End with 1 if the tests notice less than so many percent of the changes.",
        show_default=False,
    ),
]
