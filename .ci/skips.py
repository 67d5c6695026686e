"""Fail if a test was skipped for a reason that is not listed.

python .ci/skips.py REASONS.txt JUNIT.xml...
"""

import sys
from pathlib import Path
from xml.etree import ElementTree


def main(listed: str, *reports: str) -> int:
    """Print each unlisted skip; the exit status is 1 if there is one, or a report has no test."""
    lines = Path(listed).read_text("utf-8").splitlines()
    reasons = [line for line in lines if line and not line.startswith("#")]
    # The reports are pytest's own, of the step before.
    trees = [ElementTree.parse(report) for report in reports]  # noqa: S314 - our own files
    ran = [list(tree.iter("testcase")) for tree in trees]
    cases = [case for of_one in ran for case in of_one]
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
    return 1 if unlisted or not ran or not all(ran) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
