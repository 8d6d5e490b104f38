"""A question on the terminal that is answered with yes or no, in either language."""

import sys
from gettext import gettext as _
from typing import Final

import click

from paiza_wire.errors import Rejected

_ANSWERS: Final = {
    **dict.fromkeys(("y", "yes", "д", "да"), True),
    **dict.fromkeys(("n", "no", "н", "нет", ""), False),
}


def confirm(question: str, *, abort: bool = False) -> bool:
    """Ask on standard error until the answer is yes or no, and return whether it was yes; no is the default.

    With ``abort``, ``click.Abort`` is raised if it was not. The answers of both languages are accepted in either, since
    the keyboard may be set to the other one. Rejected("unconfirmed") if the input ends and is no terminal.
    """
    suffix = f" [{_('y/N')}]: "
    try:
        agreed = click.prompt(
            question, default="", show_default=False, prompt_suffix=suffix, value_proc=_read_answer, err=True
        )
    except click.Abort as stopped:
        if isinstance(stopped.__context__, EOFError) and not sys.stdin.isatty():
            raise Rejected("unconfirmed", question) from stopped
        raise
    if abort and not agreed:
        raise click.Abort
    return bool(agreed)


def _read_answer(answer: str) -> bool:
    try:
        return _ANSWERS[answer.strip().lower()]
    except KeyError:
        raise click.UsageError(_("answer y or n")) from None
