"""The commands by name, in the order of the job."""

import importlib.metadata
from collections.abc import Callable
from functools import partial

from cyclopts import App, Parameter

from account_batch.cli.accounts import export, import_accounts
from account_batch.cli.applying import apply, status
from account_batch.cli.demonstration import demonstrate
from account_batch.cli.output import Screen, print_json
from account_batch.cli.planning import due, plan, preview, show
from account_batch.codec.request import request_schema

__all__ = ["build_app"]


def schema() -> int:
    """Print the JSON Schema of a request."""
    print_json(request_schema())
    return 0


def demo() -> int:
    """Run the whole job on sample data in a temporary folder: import, plan, apply, and apply again."""
    return demonstrate(partial(build_app(), exit_on_error=False, print_error=False))


_COMMANDS: dict[str, Callable[..., int]] = {
    "demo": demo,
    "preview": preview,
    "import": import_accounts,
    "plan": plan,
    "show": show,
    "apply": apply,
    "status": status,
    "due": due,
    "export": export,
    "schema": schema,
}


def build_app() -> App:
    """What parses arguments and calls the command."""
    app = App(
        name="account-batch",
        help="Change many telecom accounts of a batch at once: plan, confirm, apply once.",
        version=lambda: importlib.metadata.version("account-batch"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        console=Screen(),
        default_parameter=Parameter(negative=""),
    )
    for place, (name, command) in enumerate(_COMMANDS.items()):
        app.command(command, name=name, sort_key=place)
    return app
