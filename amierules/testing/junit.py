"""Results as JUnit's XML, which most systems of continuous integration read."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from amierules.diagnostics import Finding, Severity
from amierules.testing.diffing import failure_text
from amierules.testing.running import Result
from amierules.testing.suite import Suite

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""


def as_junit(suite: Suite) -> str:
    """The document: a suite for each test file, and one for what belongs to none of the tests."""
    root = ElementTree.Element("testsuites", name="amierules test")
    for file in suite.files:
        results = [result for result in suite.results if result.file is file]
        _suite(root, file.shown, [_case(result) for result in results])
    beside = [*_findings(suite), *_left_over(suite)]
    if beside:
        _suite(root, "amierules test", beside)
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, name: str, cases: list[ElementTree.Element]) -> None:
    failed = sum(len(case.findall("failure")) for case in cases)
    errors = sum(len(case.findall("error")) for case in cases)
    seconds = sum(float(case.get("time", "0")) for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": str(errors), "time": f"{seconds:.3f}"}
    element = ElementTree.SubElement(root, "testsuite", {"name": _fit(name), **counts})
    element.extend(cases)


def _case(result: Result) -> ElementTree.Element:
    place = result.case.place
    names = {"name": _fit(result.case.name), "classname": _fit(place.file), "file": _fit(place.file)}
    case = ElementTree.Element("testcase", {**names, "line": str(place.line), "time": f"{result.seconds:.3f}"})
    if not result.passed:
        text = "\n".join(line for failure in result.failures for line in failure_text(failure))
        message = "; ".join(failure.message for failure in result.failures)
        ElementTree.SubElement(case, "failure", message=_fit(message)).text = _fit(text)
    return case


def _findings(suite: Suite) -> Iterator[ElementTree.Element]:
    for finding in suite.findings:
        if finding.severity is Severity.ERROR:
            yield _error(_where(finding), finding.message, finding.hint)


def _left_over(suite: Suite) -> Iterator[ElementTree.Element]:
    for failure in suite.failures:
        where = f"{failure.place.file}:{failure.place.line}" if failure.place is not None else "a test file"
        yield _error(where, failure.message, failure.hint)


def _error(where: str, message: str, hint: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_fit(where), classname="amierules test")
    ElementTree.SubElement(case, "error", message=_fit(message)).text = _fit(f"{message}\n{hint}".strip())
    return case


def _where(finding: Finding) -> str:
    return f"{finding.place.file}:{finding.place.line}" if finding.place is not None else "amierules test"


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)
