"""Commands in the language in use: the words for values are translated wherever help shows them."""

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from paiza_cli.commands import localised
from paiza_cli.numbers import WholeNumber
from paiza_client.cli.root import COMMANDS, paiza
from paiza_client.language import PLACEHOLDERS as CLIENT_WORDS
from paiza_node.ops.cli.root import paiza_node
from paiza_node.ops.language import PLACEHOLDERS as NODE_WORDS


def parameters(command: click.Command, context: click.Context) -> Iterator[tuple[click.Parameter, click.Context]]:
    """Yield every parameter of a command and of all below it."""
    yield from ((parameter, context) for parameter in command.params)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from parameters(below, click.Context(below, info_name=name, parent=context))


@pytest.mark.parametrize(
    ("command", "words"), [(paiza, CLIENT_WORDS), (paiza_node, NODE_WORDS)], ids=["paiza", "paiza-node"]
)
def test_every_word_for_a_value_is_in_the_catalogue(command: click.Command, words: tuple[str, ...]) -> None:
    """A word such as FILE in a usage line is one of those that the program translates."""
    shown = {
        word
        for parameter, context in parameters(command, click.Context(command))
        if not isinstance(parameter.type, (click.Choice, click.Path)) or parameter.metavar  # click translates PATH
        if not (isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count))
        for word in re.findall("[A-Z]+", parameter.make_metavar(context))
    }
    assert len(COMMANDS) > 30
    assert shown - set(words) - {"N"} <= {"PATH", "FILE"} & shown


def test_usage_and_options_are_localised() -> None:
    """The pieces of the usage line and the words for values are translated, those inside a pattern too."""
    words = {"OPTIONS": "ПАРАМЕТРЫ", "FIELD": "ПОЛЕ", "TEXT": "ТЕКСТ", "FILE": "ФАЙЛ"}

    @click.command()
    @click.argument("names", nargs=-1, metavar="[FILE]...")
    @click.option("--set", "value", metavar="FIELD=TEXT")
    @click.option("--mode", type=click.Choice(["RED", "AMBER"]))
    @click.option("--act", type=click.Choice(["open", "list"]), metavar="TEXT")
    def command() -> None: ...

    text = CliRunner().invoke(localised(command, lambda word: words.get(word, word)), ["--help"]).output
    assert "[ПАРАМЕТРЫ] [ФАЙЛ]..." in text
    assert "--set ПОЛЕ=ТЕКСТ" in text
    assert "[RED|AMBER]" in text
    assert "--act ТЕКСТ" in text


def test_limits_of_a_number_are_shown_without_formulas() -> None:
    """Help and errors show the limits as a person writes them, whatever the value was."""

    @click.command()
    @click.option("--limit", type=WholeNumber(1, 100_000))
    @click.option("--after", type=WholeNumber(min=0))
    def command(limit: int | None, after: int | None) -> None:
        click.echo(f"{limit} {after}")

    shown = CliRunner().invoke(command, ["--help"]).output
    assert "1–100\u202f000" in shown
    assert "≥ 0" in shown
    assert CliRunner().invoke(command, ["--limit", "7", "--after", "0"]).output == "7 0\n"
    for wrong in ("0", "100001", "many"):
        assert f"{wrong} is not in the range 1–100\u202f000." in CliRunner().invoke(command, ["--limit", wrong]).output
