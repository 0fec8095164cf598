"""The command line: arguments, files and exit codes, and the only place that reads the clock.

Needs the extra of that name; says so where it is missing.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]

# Which extra brings a library.
_EXTRAS = {"cyclopts": "cli", "rich": "cli", "sqlalchemy": "sql", "psycopg": "postgres", "pymysql": "mariadb"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (DESIGN.md section 10).

    Args:
        arguments: Without the program's name; those of the process, if None.
    """
    try:
        from account_batch.cli.run import run  # noqa: PLC0415  # The extra may be missing.

        return run(sys.argv[1:] if arguments is None else arguments)
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        install = f"account-batch[{_EXTRAS[library]}]" if library in _EXTRAS else "it"
        sys.stderr.write(f"account-batch: needs {library}; install {install}\n")
        return 2
    except KeyboardInterrupt:  # While the libraries are loaded; commands have more to say.
        sys.stderr.write("account-batch: stopped\n")
        return 3
