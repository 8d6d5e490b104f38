"""The guides for officers: the commands that stand in them, in their order."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from paiza_client.cli.reference import DefaultShow
from paiza_client.cli.root import paiza

GUIDES: Final = {"en": "client/README.md", "ru": "client/README.ru.md"}
"""By language."""

_BLOCK: Final = re.compile(r"^ *```\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMAND: Final = re.compile(r" *(paiza .*)")


@dataclass(frozen=True)
class Written:
    """One command line of a guide: the command, its words in order, and the file that its output goes to."""

    line: str
    words: tuple[str, ...]
    output: str = ""


def text_of(root: Path, lang: str) -> str:
    """Return a guide."""
    return (root / GUIDES[lang]).read_text(encoding="utf-8")


def commands(text: str) -> list[Written]:
    """Return the command lines of the blocks of a guide; what may be left out, in brackets, is taken."""
    found = []
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if not (begun := _COMMAND.fullmatch(line)):
                continue
            written, _arrow, output = re.split(r"  +", begun[1])[0].partition(" > ")
            words = shlex.split(written.replace("[", "").replace("]", ""))[1:]
            found.append(Written(written, tuple(words), output))
    return found


def resolved(words: tuple[str, ...]) -> tuple[click.Command, tuple[str, ...], list[str]]:
    """Return the command that words name, its name, and the options among the words; LookupError if there is none."""
    command: click.Command = paiza
    path: list[str] = []
    options = [each.partition("=")[0] for each in words if re.fullmatch(r"-[a-z-].*", each)]
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        word = rest.pop(0)
        if word.startswith("-"):
            if word == "--profile":
                rest.pop(0)
            continue
        context = click.Context(command)
        below = command.get_command(context, word)
        if below is None and isinstance(command, DefaultShow):
            word, below = "show", command.get_command(context, "show")
        if below is None and not path:
            raise LookupError(word)
        if below is None:
            break
        command = below
        path.append(word)
    return command, tuple(path), options
