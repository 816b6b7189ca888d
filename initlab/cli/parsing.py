"""What the parser of the command line refuses, in one line like every other mistake.

By itself the parser prints a usage line, a pointer to the help, and words of its own, for a wrong type those
of Pydantic. Here a mistake becomes: the option, the value, what is accepted, what was perhaps meant.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from initlab.errors import UsageError, shortened, unknown_name


class Commands(TyperGroup):
    """Commands of which a mistake in the words is a `UsageError`."""

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:
        """Parse the options before the command."""
        with _mistakes_in_words():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: Any) -> Any:
        """Parse the words of the chosen command, and run it."""
        with _mistakes_in_words():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first word names.

        Args:
            ctx: of the parser.
            args: the words from the command on.

        Raises:
            UsageError: for an unknown command.
        """
        names = self.list_commands(ctx)
        # Completion resolves what is typed so far, and is not to fail.
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UsageError(unknown_name("command", args[0], names, f"{_path(ctx)} --help"))
        return super().resolve_command(ctx, args)


@contextmanager
def _mistakes_in_words() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Between versions of typer these classes change their module, but not their names.
        if not hasattr(error, "format_message") or type(error).__name__ == "NoArgsIsHelpError":
            raise
        raise UsageError(_message(error)) from None


def _message(error: Any) -> str:
    """A mistake that the parser noticed, in one line."""
    ctx, param = error.ctx, getattr(error, "param", None)
    match type(error).__name__:
        case "NoSuchOption" if ctx:
            return unknown_name("option", error.option_name, _options(ctx), f"{_path(ctx)} --help")
        case "MissingParameter" if ctx and param:
            return f"{_path(ctx).removeprefix('initlab ')} needs {_name(param)}{_help(param)}"
        case "BadParameter" if param and hasattr(error.__cause__, "errors"):
            return _wrong_value(_name(param), error.__cause__.errors()[0])
    message = error.format_message().removesuffix(".")
    if "extra argument" in message and "--init" in _options(ctx):
        return f"{message}; repeat an option for another value: --init he --init xavier"
    return f"{message}; `{_path(ctx)} --help` explains it" if ctx else message


def _options(ctx: Any) -> list[str]:
    names = [name for option in ctx.command.params for name in option.opts if name.startswith("--")]
    return [*names, "--help"]


def _wrong_value(name: str, details: Any) -> str:
    """A value of another type, or outside its range, as the check of a config says it."""
    from initlab.runner.mistakes import wanted

    return f"{name} must be {wanted(details)}, not {shortened(details['input'])}"


def _path(ctx: Any) -> str:
    """The command with its name of all days, also where it runs as `python -m initlab`."""
    return f"{_path(ctx.parent)} {ctx.info_name}" if ctx.parent else "initlab"


def _name(param: Any) -> str:
    """An option as it is written, or an argument as the help names it."""
    if param.param_type_name == "option":
        return str(max(param.opts, key=len))
    return str(param.metavar or param.name).upper()


def _help(param: Any) -> str:
    text = str(getattr(param, "help", None) or "").removesuffix(".")
    return f": {text}" if text else ""
