"""Commands in the language in use, and a program whose commands are loaded when they are called for."""

import copy
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import click
from typing_extensions import override

Translate = Callable[[str], str]


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


def localised(command: click.Command, translate: Translate) -> click.Command:
    """Return the command, and all below it, with its help in the language in use."""
    twin = copy.copy(command)
    twin.help = translate(command.help) if command.help else None
    twin.short_help = translate(command.short_help) if command.short_help else None
    twin.epilog = translate(command.epilog) if command.epilog else None
    twin.params = [_localised(parameter, translate) for parameter in command.params]
    if isinstance(command, click.Group) and isinstance(twin, click.Group):
        twin.commands = {name: localised(each, translate) for name, each in command.commands.items()}
    return twin


def _localised(parameter: click.Parameter, translate: Translate) -> click.Parameter:
    twin = copy.copy(parameter)
    if isinstance(twin, click.Option) and twin.help:
        twin.help = translate(twin.help)
    return twin
