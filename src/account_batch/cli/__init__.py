"""The command line: arguments, files and exit codes, and the only place that reads the clock.

Needs the extra of that name; says so where it is missing.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (DESIGN.md section 10).

    Args:
        arguments: Without the program's name; those of the process, if None.
    """
    try:
        from account_batch.cli.commands import run  # noqa: PLC0415  # The extra may be missing.
    except ModuleNotFoundError as error:
        sys.stderr.write(f"account-batch: needs {error.name}; install account-batch[cli]\n")
        return 2
    return run(sys.argv[1:] if arguments is None else arguments)
