"""Commands in the language in use, and a program whose commands are loaded when they are called for."""

import copy
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import click
from click.exceptions import NoSuchCommand
from typing_extensions import override

Translate = Callable[[str], str]

_PLACEHOLDER: Final = re.compile("[A-Z]+")  # a word that stands for a value, such as FILE in [FILE]...


class LazyGroup(click.Group):
    """A group that loads a command's module on demand: one command need not wait for the imports of all."""

    def __init__(self, *arguments: Any, places: Mapping[str, str], translate: Translate, **options: Any) -> None:
        """Store where each command stands ("module:name", by its name), and what translates its help."""
        super().__init__(*arguments, **options)
        self.places = places
        self.translate = translate

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, name = self.places[cmd_name].split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return localised(command, self.translate)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:  # click knows only the commands that are loaded
            raise NoSuchCommand(error.command_name, possibilities=self.places, ctx=ctx) from None


def localised(command: click.Command, translate: Translate) -> click.Command:
    """Return the command, and all below it, with its help in the language in use.

    The words that stand for values are translated one by one, so that a catalogue holds FIELD and TEXT for FIELD=TEXT.
    """
    twin = copy.copy(command)
    twin.options_metavar = _placeholders(command.options_metavar or "", translate)
    twin.help = translate(command.help) if command.help else None
    twin.short_help = translate(command.short_help) if command.short_help else None
    twin.epilog = translate(command.epilog) if command.epilog else None
    twin.params = [_localised(parameter, click.Context(command), translate) for parameter in command.params]
    if isinstance(command, click.Group) and isinstance(twin, click.Group):
        twin.subcommand_metavar = _placeholders(command.subcommand_metavar, translate)
        twin.commands = {name: localised(each, translate) for name, each in command.commands.items()}
    return twin


def _localised(parameter: click.Parameter, context: click.Context, translate: Translate) -> click.Parameter:
    twin = copy.copy(parameter)
    if isinstance(twin, click.Option) and twin.help:
        twin.help = translate(twin.help)
    takes_value = not isinstance(twin, click.Option) or not (twin.is_flag or twin.count)
    if takes_value and (twin.metavar or not isinstance(twin.type, click.Choice)):  # a choice shows the words to type
        twin.metavar = _placeholders(twin.make_metavar(context), translate)
    return twin


def _placeholders(text: str, translate: Translate) -> str:
    return _PLACEHOLDER.sub(lambda word: translate(word[0]), text)
