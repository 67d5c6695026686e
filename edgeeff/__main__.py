"""The command line as a program: ``edgeeff`` and ``python -m edgeeff``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and end quietly where Ctrl-C comes while it is still being imported."""
    try:
        from edgeeff import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
