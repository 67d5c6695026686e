"""What every command refuses of the words it is given, before it begins."""

from __future__ import annotations

import click

from edgeeff.errors import UsageError


class Command(click.Command):
    """A command that takes no option twice, and knows whose an option is that it has not.

    click itself takes the last of two values without a word.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As of ``click.Command``. Raises ``UsageError``."""
        if ctx.resilient_parsing:  # a shell completes what is not whole yet
            return super().parse_args(ctx, args)
        try:
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        except click.NoSuchOption as error:
            if others := _with_option(error.option_name, ctx):
                raise UsageError(
                    f"{error.option_name} is no option of {ctx.command_path}",
                    f"it goes with {', '.join(others)}; {ctx.command_path} --help shows its own",
                ) from error
            raise
        except click.UsageError as error:
            # The parser does not say whose option lacks its value.
            error.ctx = error.ctx or ctx
            raise
        for place, option in enumerate(given):
            if _holds_one_value(option) and option in given[:place]:
                raise UsageError(f"{option.opts[0]} comes twice", "give it once")
        return super().parse_args(ctx, args)


def _holds_one_value(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and not (option.is_flag or option.multiple)


def _with_option(name: str, ctx: click.Context) -> list[str]:
    """Names of the commands beside this one that have an option."""
    above = ctx.parent
    if above is None or not isinstance(above.command, click.Group):
        return []
    names = above.command.list_commands(above)
    commands = [above.command.get_command(above, one) for one in names]
    return [
        str(one.name)
        for one in commands
        if one and any(name in option.opts for option in one.params)
    ]
