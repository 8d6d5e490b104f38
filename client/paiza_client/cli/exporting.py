"""`paiza export`: opened messages as JSON or YAML for another program. It opens through the node, which logs it."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from ruamel.yaml import YAML

from paiza.v1 import message_pb2
from paiza_client.cli import as_json, messages, reading
from paiza_client.cli.options import Moment, shared
from paiza_client.cli.terminal import Terminal, run, terminal
from paiza_client.errors import Refused, misused
from paiza_client.language import N_, _
from paiza_client.profiles import write_private

MAX_EXPORTED: Final = 10_000  # messages of one export; more are exported by time


@click.command(
    help=N_("Write opened messages, content included, as JSON or YAML. Each opening is logged at your node.")
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--since", type=Moment(), help=N_("All received and sent since: 2026-11-23, or 8h, 3d, 2w ago."))
@click.option("--kind", default="", metavar="KIND", help=N_("Only this kind."))
@click.option("--from", "author", default="", metavar="MEMBER", help=N_("Only from this member."))
@click.option("--annex", is_flag=True, help=N_("Nominal annexes too; needs --reason."))
@click.option("--reason", default="", help=N_("Why you open them."))
@click.option(
    "--format", "form", type=click.Choice(("json", "yaml")), default="json", show_default=True, help=N_("Format.")
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help=N_("File to write; else standard output."))
@shared
def export(
    *,
    ids: tuple[str, ...],
    since: datetime | None,
    kind: str,
    author: str,
    annex: bool,
    reason: str,
    form: str,
    output: Path | None,
) -> None:
    """Export messages."""
    if not ids and since is None:
        raise misused("paiza export", _("name messages, or --since"))
    if annex and not reason.strip():
        raise Refused("opening_reason_missing", "--annex")
    if output is not None and output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    desk = terminal()
    filters = {"box": "both", "kind": kind, "author": author, "since": since}
    objects = run(_work(desk, ids, filters, reason.strip(), annex=annex))
    text = _written(objects, "json" if desk.wants_json else form)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_private(output, text.encode())
        desk.note(_("{n} messages written to {path}").format(n=len(objects), path=output))


async def _work(
    desk: Terminal, ids: tuple[str, ...], filters: dict[str, Any], reason: str, *, annex: bool
) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    async with desk.session() as session:
        found = [await messages.one(session, each) for each in ids]
        if not ids:
            found = await reading.listed(session, MAX_EXPORTED, **filters)
        with desk.progress() as progress:
            for message in progress.track(found, description=_("Messages")):
                opened = await session.open_part(message.digest, 0, reason)
                described = {**as_json.opened(opened), "content": reading.content(opened)[0]}
                number = _annex(message.header)
                if annex and number is not None:
                    opened = await session.open_part(message.digest, number, reason)
                    described["annex"] = reading.content(opened)[0]
                objects.append(described)
    return objects


def _annex(header: message_pb2.Header) -> int | None:
    for number, part in enumerate(header.parts):
        if part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
            return number
    return None


def _written(objects: list[dict[str, Any]], form: str) -> str:
    text = json.dumps(objects, ensure_ascii=False, indent=2, default=as_json.value) + "\n"
    if form == "json":
        return text
    stream = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.dump(json.loads(text), stream)
    return stream.getvalue()
