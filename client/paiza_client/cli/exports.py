"""`paiza export`: opened messages as a file for others.

The node is asked for leave first, and logs it; then every message is opened through the node, which logs that too; then
the file is made here. It carries the strictest mark of all that is in it.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click
from ruamel.yaml import YAML

from paiza_client.cli import inbox, messages, open_many
from paiza_client.cli.options import TimeParameter, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.data.exports import customs, marks, precursors, printing, unodc
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Table
from paiza_client.errors import FieldProblem, Refused, misused
from paiza_client.language import N_, _
from paiza_client.local.profiles import write_private
from paiza_client.sdk import as_json, wording
from paiza_client.sdk.model import MessageSummary
from paiza_client.verify.model import OpenedPart
from paiza_domain import codes

if TYPE_CHECKING:
    from paiza_client.sdk import Session
    from paiza_client.sdk.exports import Intent

AUDIENCES: Final = ("own-unit", "own-member", "outside", "public")
MAX_NAMED: Final = 50  # refused messages named one by one


@dataclass(frozen=True, slots=True)
class Form:
    """One form of export: the kind it takes (empty: all), its formats with the usual one first, its table if any."""

    kind: str
    formats: tuple[str, ...]
    table: Callable[[Sequence[Record]], Table] | None = None


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "full": Form("", ("json", "yaml")),
        "unodc": Form(unodc.KIND, ("csv", "xlsx", "json"), unodc.table),
        "customs": Form(customs.KIND, ("csv", "xlsx", "json"), customs.table),
        "precursors": Form(precursors.KIND, ("csv", "xlsx", "json"), precursors.table),
        "print": Form("", ("html",)),
    }
)
FORMATS: Final = ("json", "yaml", "csv", "xlsx", "html")


@click.command(
    help=N_(
        "Write opened messages to a file: whole (JSON, YAML), as UNODC seizure rows, a short form for customs without "
        "names, precursor incidents (CSV, XLSX, JSON), or pages to print (HTML). Leave and openings are logged."
    )
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--form", "name", type=click.Choice(tuple(FORMS)), default="full", show_default=True, help=N_("Form."))
@click.option("--since", type=TimeParameter(), help=N_("All received and sent since: 2026-11-23, or 8h, 3d, 2w ago."))
@click.option("--kind", default="", metavar="KIND", help=N_("Only this kind."))
@click.option("--from", "author", default="", metavar="MEMBER", help=N_("Only from this member."))
@click.option("--annex", is_flag=True, help=N_("Nominal annexes too; with the forms full and print."))
@click.option("--purpose", default="", metavar="CODE", help=N_("What it is to be used for: a code of the purposes."))
@click.option("--reason", default="", help=N_("Why it leaves the system."))
@click.option(
    "--for", "audience", type=click.Choice(AUDIENCES), default="own-unit", show_default=True, help=N_("For whom.")
)
@click.option("--whom", default="", metavar="TEXT", help=N_("Who exactly gets it; yourself where nothing is said."))
@click.option(
    "--partial", is_flag=True, help=N_("Leave out what must not be exported, and name it; else nothing is written.")
)
@click.option("--format", "form", type=click.Choice(FORMATS), default=None, help=N_("Format; else the form's usual."))
@click.option("-o", "--output", type=click.Path(path_type=Path), help=N_("File to write; else standard output."))
@shared
def export(
    *,
    ids: tuple[str, ...],
    name: str,
    since: datetime | None,
    kind: str,
    author: str,
    annex: bool,
    purpose: str,
    reason: str,
    audience: str,
    whom: str,
    partial: bool,
    form: str | None,
    output: Path | None,
) -> None:
    """Export messages."""
    if not ids and since is None:
        raise misused("paiza export", _("name messages, or --since"))
    terminal, chosen = current_terminal(), FORMS[name]
    as_asked = "json" if terminal.wants_json and "json" in chosen.formats else chosen.formats[0]
    written = form or as_asked
    _check(name, chosen, written, kind, annex=annex)
    if not reason.strip():
        raise Refused("reason_missing", "paiza export")
    if purpose not in codes.load("purpose"):
        raise misused("--purpose", _("one of: {codes}").format(codes=", ".join(codes.load("purpose"))))
    if audience != AUDIENCES[0] and not whom.strip():
        raise misused("--whom", _("say who exactly gets it"))
    if output is None and written == "xlsx":
        raise misused("--output", _("XLSX is written to a file"))
    if output is not None and output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    from paiza_client.sdk.exports import Intent  # noqa: PLC0415 - grpc is slow to load, and not always needed

    intent = Intent(audience, whom.strip() or str(terminal.profile().id), purpose, reason.strip(), with_annex=annex)
    wanted = {"kind": chosen.kind or kind, "author": author, "since": since}
    records = run(_gathered(terminal, ids, wanted, intent, partial=partial))
    data = _written(chosen, records, written)
    if output is None:
        click.echo(data, nl=False)
        return
    write_private(output, data)
    terminal.note(_("{n} messages written to {path}").format(n=len(records), path=output))
    terminal.note(
        _("It carries the mark {mark}").format(
            mark=wording.handling(marks.strictest([each for each, _part in records]))
        )
    )


def _check(name: str, form: Form, written: str, kind: str, *, annex: bool) -> None:
    if written not in form.formats:
        what = _("the form {form} is written as: {formats}").format(form=name, formats=", ".join(form.formats))
        raise misused("--format", what)
    if kind and form.kind and kind != form.kind:
        raise misused("--kind", _("the form {form} takes {kind}").format(form=name, kind=form.kind))
    if annex and form.table is not None:
        raise misused("--annex", _("the form {form} has no place for persons").format(form=name))


async def _gathered(
    terminal: Terminal, ids: tuple[str, ...], wanted: dict[str, Any], intent: "Intent", *, partial: bool
) -> list[tuple[Record, OpenedPart]]:
    async with terminal.session() as session:
        found = await open_many.chosen(session, ids, **wanted)
        if not ids:
            found = open_many.standing(terminal, found)
        if not found:
            raise open_many.none_found()
        allowed = await _allowed(terminal, session, found, intent, partial=partial)
        return await open_many.opened(terminal, session, allowed, intent.reason, annex=intent.with_annex)


async def _allowed(
    terminal: Terminal, session: "Session", found: Sequence[MessageSummary], intent: "Intent", *, partial: bool
) -> list[MessageSummary]:
    """Ask leave; where some is refused, refuse all, or warn and go on with the rest."""
    permissions = await session.exports.note([each.digest for each in found], intent)
    refused = [
        (each, permission) for each, permission in zip(found, permissions, strict=True) if permission.proof is None
    ]
    if not refused:
        return list(found)
    problems = [FieldProblem(each.id, permission.detail, permission.reason) for each, permission in refused[:MAX_NAMED]]
    if not partial or len(refused) == len(found):
        first = refused[0][1]
        raise Refused(first.reason, refused[0][0].id, first.detail, problems)
    for each, permission in refused:
        terminal.warn(
            _("Left out: {id}: {reason}").format(
                id=each.id[: messages.SHORT_ID], reason=permission.detail or permission.reason
            )
        )
    left_out = {each.digest for each, _permission in refused}
    return [each for each in found if each.digest not in left_out]


def _written(form: Form, gathered: Sequence[tuple[Record, OpenedPart]], written: str) -> bytes:
    records = [record for record, _part in gathered]
    if form.table is not None:
        from paiza_client.data.exports.writing import WRITERS  # noqa: PLC0415 - only tables need the writer of spreadsheets

        return WRITERS[written](form.table(records))
    if written == "html":
        return printing.page(records, open_many.header_rows).encode()
    return _whole(gathered, written).encode()


def _whole(gathered: Sequence[tuple[Record, OpenedPart]], written: str) -> str:
    objects = []
    for record, part in gathered:
        described = {**as_json.opened(part), "content": inbox.content(part)[0]}
        if record.annex is not None:
            described["annex"] = as_json.message(record.annex)
        objects.append(described)
    text = json.dumps(objects, ensure_ascii=False, indent=2, default=as_json.value) + "\n"
    if written == "json":
        return text
    stream = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.dump(json.loads(text), stream)
    return stream.getvalue()
