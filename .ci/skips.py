"""Fail if a test was skipped for a reason that is not listed.

python .ci/skips.py JUNIT.xml REASONS.txt
"""

import sys
from pathlib import Path
from xml.etree import ElementTree


def main(report: str, listed: str) -> int:
    """Print each unlisted skip; the exit status is 1 if there is one, or if no test ran."""
    lines = Path(listed).read_text("utf-8").splitlines()
    reasons = [line for line in lines if line and not line.startswith("#")]
    # The report is pytest's own, of the step before.
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - our own file
    skips = {
        f"{case.get('classname')}::{case.get('name')}": skip.get("message") or ""
        for case in cases
        for skip in case.iter("skipped")
        if skip.get("type") != "pytest.xfail"
    }
    unlisted = {k: v for k, v in skips.items() if not any(reason in v for reason in reasons)}
    for name, reason in unlisted.items():
        print(f"skipped without a listed reason: {name}: {reason}", file=sys.stderr)
    print(f"{len(cases)} tests, {len(skips)} skipped, {len(unlisted)} of them unlisted")
    return 1 if unlisted or not cases else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
