"""The part of `docs/usage.md` that repeats the fields of a job."""

from amierules.shipped import ROOT
from amierules.usage.fields import JOB

PATH = ROOT / "docs" / "usage.md"
BEGIN, END = "<!-- job fields -->\n", "<!-- end of job fields -->\n"


def usage_page() -> str:
    """The page, with the rows of its table as the code has them."""
    before, _, rest = PATH.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| `job.` | is |\n| --- | --- |\n"
    rows = head + "".join(f"| `{name}` | {field.description} |\n" for name, field in JOB.items())
    return before + BEGIN + rows + END + after
