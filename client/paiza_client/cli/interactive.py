"""Filling a draft in at prompts: every field of the kind in turn, each answer checked at once.

What has been answered is never lost: whatever ends the walk early, the answers so far are saved as a draft file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from paiza.core.v1 import message_pb2
from paiza_cli.confirmation import confirm
from paiza_client.cli import substance_notes
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.compose.composer import raise_field_problems
from paiza_client.language import N_, _
from paiza_client.local import reference_data
from paiza_client.sdk import draft_store, drafts
from paiza_domain import codes, reference
from paiza_domain import handling as marks
from paiza_domain.drafts import forms, labels
from paiza_domain.drafts.drafts import Draft, DraftError
from paiza_domain.drafts.forms import FormField
from paiza_domain.drafts.members import Members
from paiza_domain.drafts.templates import Form
from paiza_domain.forms import values
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import FieldType
from paiza_wire.errors import Rejected

SHORT_LIST: Final = 12  # choices shown with the question; of a longer list, "?" shows them
_ENDED: Final = (KeyboardInterrupt, EOFError, click.Abort, Rejected)  # the last where nobody answers yes or no

_HELP: Final = N_("Enter alone skips an optional field; ? shows the choices; Ctrl-C saves what you have and stops.")


class Walk:
    """One walk over the fields of a kind; ``answers`` are by path, as `forms.assemble` takes them."""

    def __init__(self, terminal: Terminal, kind: Kind, form: Form, recipients: Sequence[str] = ()) -> None:
        self._terminal = terminal
        self._recipients = recipients
        self._members = reference_data.members(terminal.profile())
        self._fields = forms.fields(kind, form)
        self.kind = kind
        self.answers: dict[str, str] = {}

    def content(self, now: datetime) -> Draft:
        """Ask for everything; give the draft without its envelope."""
        self._terminal.note(_(_HELP))
        self._group("", "")
        while True:
            try:
                content, annex = forms.assemble(self.kind, self.answers, lang(), now=now, members=self._members)
            except DraftError as error:
                for each in error.errors:
                    self._terminal.warn(f"{labels.label(self.kind, each.path, lang())}: {each.message(lang())}")
                if not self._mend([each.path for each in error.errors]):
                    raise_field_problems(self.kind.name, error.errors, self.kind)
            else:
                return Draft(kind=self.kind, content=content, annex=annex)

    def _group(self, template: str, path: str) -> None:
        """Ask for the fields directly below a group, and descend into the groups among them."""
        for field in self._fields:
            above, _dot, name = field.path.rpartition(".")
            if above != template:
                continue
            here = f"{path}.{name}" if path else name
            if field.value_type is FieldType.GROUP:
                self._groups(field, here)
            else:
                self._values(field, here)

    def _groups(self, field: FormField, path: str) -> None:
        label = field.labels[lang()]
        if not field.repeated:
            if field.mandatory or confirm(_("Give {label}?").format(label=label)):
                self._group(field.path, path)
            return
        number = 0
        base = path.removesuffix("[]")
        while (field.mandatory and number == 0) or confirm(
            (_("Another entry of {label}?") if number else _("Give {label}?")).format(label=label)
        ):
            self._terminal.note(f"— {label} {number + 1}")
            self._group(field.path, f"{base}[{number}]")
            number += 1

    def _values(self, field: FormField, path: str) -> None:
        if not field.repeated:
            if answer := self._ask(field, required=field.mandatory):
                self.answers[path] = answer
            return
        base = path.removesuffix("[]")
        number = 0
        while answer := self._ask(field, required=field.mandatory and number == 0):
            self.answers[f"{base}[{number}]"] = answer
            number += 1

    def _ask(self, field: FormField, *, required: bool) -> str:
        label = field.labels[lang()] + ("" if required else _(" (optional)"))
        choices = _choices(field)
        if 0 < len(choices) <= SHORT_LIST:
            self._terminal.note(", ".join(choices))
        elif hint := field.hints[lang()]:
            label += f" [{hint}]"
        while True:
            answer = str(click.prompt(label, default=field.default, show_default=bool(field.default), err=True)).strip()
            if answer == "?":
                self._terminal.note("\n".join(choices) or field.hints[lang()])
            elif not answer and not required:
                return ""
            elif problem := (
                field.error(answer, lang(), self._members) if answer else _("This field must be filled in.")
            ):
                self._terminal.warn(problem)
            else:
                if field.field.name in reference.NAMING_FIELDS:
                    substance_notes.tell_name(self._terminal, answer, self._recipients)
                return answer

    def _mend(self, paths: Sequence[str]) -> bool:
        """Ask again for the values that are wrong; False where none of them was asked for by itself."""
        mended = False
        for path in dict.fromkeys(paths):
            template = _template(path)
            field = next(
                (each for each in self._fields if each.path.removesuffix("[]") == template.removesuffix("[]")), None
            )
            if field is not None and field.value_type is not FieldType.GROUP:
                if answer := self._ask(field, required=field.mandatory):
                    self.answers[path] = answer
                else:
                    self.answers.pop(path, None)
                mended = True
        return mended


def fill(terminal: Terminal, kind: Kind, form: Form, now: datetime, recipients: Sequence[str]) -> Draft:
    """Ask for the envelope and the content of one message; give the draft."""
    walk = Walk(terminal, kind, form, recipients)
    try:
        draft = walk.content(now)
    except _ENDED:
        _keep_answers(terminal, walk)
        raise
    try:
        return _enveloped(terminal, draft, recipients)
    except _ENDED:
        keep(terminal, draft, now)
        raise


def _enveloped(terminal: Terminal, draft: Draft, recipients: Sequence[str]) -> Draft:
    """Ask for recipients and marks."""
    known = reference_data.members(terminal.profile())
    members = list(recipients) or _ask_members(terminal, known)
    usual = drafts.usual_handling(draft.kind, draft.content)
    tlp = _ask_mark("TLP", "tlp", marks.TLP, usual.tlp)
    code = _ask_mark(_("Handling code"), "code", marks.CODES, usual.code)
    text = str(click.prompt(_("Text of the limit"), err=True)) if code == "H3" else ""
    level = click.prompt(
        _("Classification level"),
        type=click.IntRange(0, marks.MAX_CLASSIFICATION),
        default=usual.classification,
        err=True,
    )
    handling = message_pb2.Handling(tlp=tlp, code=code, code_text=text, pap=usual.pap, classification=level)
    return replace(
        draft, recipients=tuple(message_pb2.Recipient(member=member) for member in members), handling=handling
    )


def keep(terminal: Terminal, draft: Draft, now: datetime) -> Path:
    """Save a draft that could not be sent, readable by its owner alone, and say where."""
    path = drafts.save(terminal.profile(), draft, now)
    terminal.warn(_("The draft is kept in {path}").format(path=path))
    return path


def _keep_answers(terminal: Terminal, walk: Walk) -> None:
    """Save the answers so far as a draft, and say where it is and how to go on."""
    if not walk.answers:
        return
    profile = terminal.profile()
    name = draft_store.new_name(profile, walk.kind)
    draft_store.write_text(profile, name, values.text_of(walk.kind, _as_values(walk.answers)))
    text = _("Your answers so far are kept as a draft in {path}. Complete it, then send it with: {command}")
    path = draft_store.path_of(profile, name)
    terminal.warn(text.format(path=path, command=f"paiza send {walk.kind.name} {path}"))


def _as_values(answers: Mapping[str, str]) -> dict[str, str]:
    """Return answers as the values of a form: below `content`, the values of a repeated field one a line."""
    found: dict[str, str] = {}
    for path, text in answers.items():
        name = path if path.startswith("annex.") else f"content.{path}"
        if name.endswith("]"):
            name = name[: name.rindex("[")]
        found[name] = f"{found[name]}\n{text}" if name in found else text
    return found


def _choices(field: FormField) -> list[str]:
    if not field.codes:
        return []
    return [f"{code} ({entry.names[lang()]})" for code, entry in codes.load(field.codes).items()]


def _template(path: str) -> str:
    """Return the path of a field of the form for the path of an answer: ``a[0].b`` → ``a[].b``."""
    return ".".join(part.split("[")[0] + "[]" if "[" in part else part for part in path.split("."))


def _ask_mark(question: str, key: str, allowed: Sequence[str], usual: str) -> str:
    """Ask for a mark until it is one of those allowed; case and Cyrillic letters do not matter."""

    def read(answer: str) -> str:
        if (mark := marks.label(answer, key)) in allowed:
            return mark
        raise click.UsageError(FieldError("", "not_one_of", {"expected": ", ".join(allowed)}).message(lang()))

    return str(click.prompt(f"{question} ({', '.join(allowed)})", default=usual, value_proc=read, err=True))


def _ask_members(terminal: Terminal, known: Members) -> list[str]:
    """Ask for recipients until each is a member."""
    while True:
        words = str(click.prompt(_("To which members (kaz, uzb …)"), err=True)).split(",")
        members = [known.find(word.strip()) for word in words if word.strip()]
        problems = [problem for each in members if (problem := known.problem(each, lang()))]
        if not problems:
            return members
        for each in problems:
            terminal.warn(FieldError("to", *each).message(lang()))
