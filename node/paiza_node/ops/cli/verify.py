"""`paiza-node verify`: re-read and re-hash everything. It only reads, and works while the node runs.

By default everything is verified. `--log-only` leaves out messages, proofs and files: for a million messages those take
minutes, while the log itself takes seconds.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import click
from google.protobuf.message import DecodeError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from paiza_cli.exit_codes import ExitCode
from paiza_cli.terminal import plain_line
from paiza_domain.i18n import NN_
from paiza_node.core.errors import N_, damage_of
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.core.log.checks import verify_log
from paiza_node.core.storage import scanning
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.core.storage.scanning import open_scan
from paiza_node.core.storage.values import check_values, count_rows
from paiza_node.features.recovery.checks import verify_earlier
from paiza_node.ops.cli.frame import Ended, as_object
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.language import _, ngettext, number_text
from paiza_node.ops.offline import check_database, known_register
from paiza_node.ops.tables import METADATA
from paiza_node.ops.terminal import on_terminal, print_json
from paiza_node.ops.verify.compose import compose
from paiza_wire.errors import PaizaError

NAMES = {
    "values": N_("values"),
    "log": N_("log"),
    "earlier": N_("earlier logs"),
    "rows": N_("rows"),
    "messages": N_("messages"),
    "proofs": N_("proofs"),
    "witnesses": N_("witnesses"),
    "misbehaviour": N_("misbehaviour"),
    "officers": N_("officers"),
    "settings": N_("settings"),
    "blocks": N_("blocks"),
    "search": N_("search index"),
    "tasks": N_("tasks"),
    "approvals": N_("approvals"),
    "attachments": N_("attachments"),
    "erasures": N_("erasures"),
    "peer_audit": N_("peer audit"),
    "proposals": N_("proposals"),
}


@click.command(
    "verify",
    help=N_(
        "Re-read and re-hash everything: log, rows, messages, other members' proofs, approvals "
        "and the files of attachments. Only reads; works while the node runs. Exits with 5 if "
        "anything fails."
    ),
)
@shared
@json_option
@click.option("--log-only", is_flag=True, help=N_("The log and its checkpoint, not messages and proofs."))
def command(config_path: Path, log_level: str | None, *, as_json: bool, log_only: bool) -> None:
    """Verify everything."""
    config = settings(config_path, log_level)
    parts = list(verify(config, log_only=log_only, quiet=as_json))
    passed = all(part.passed for part in parts)
    if as_json:
        print_json({"passed": passed, "parts": [_as_object(part) for part in parts]})
    else:
        for part in parts:
            _print(part)
    if not passed:
        raise Ended(ExitCode.NOT_PROVEN)


def verify(config: Config, *, log_only: bool, quiet: bool) -> Iterator[Part]:
    """Verify part by part; findings in one part do not stop the others."""
    check_database(config)
    reader, register = known_register(config)
    # Read before the scan: a checkpoint is signed only after its entries are committed.
    note = read_checkpoint(config.data / "checkpoint")
    with open_scan(config.database) as scan:
        if not log_only:
            with _part("values", count_rows(scan, METADATA), quiet=quiet) as (part, step):
                check_values(scan, METADATA, part, step)
            yield part
            if not part.passed:
                return  # the other checks, which rely on types, would fail anywhere
        composed = () if log_only else compose(scan, reader, register, config)
        by_event: defaultdict[int, list[Check]] = defaultdict(list)
        for check in (check for each in composed for check in each.checks):
            for event in check.events:
                by_event[event].append(check)
        head = log_store.head(scan)
        with _part("log", head.size, quiet=quiet) as (part, step), _noting(part):
            verify_log(scan, register.described_member(config.member), note, part, by_event, step)
        yield part
        if log_store.former_logs(scan):
            with _part("earlier", head.size, quiet=quiet) as (part, step), _noting(part):
                verify_earlier(scan, register.described_member(config.member), part, step)
            yield part
        for each in composed:
            total = sum(scanning.count(scan, METADATA.tables[table]) for table in each.tables)
            with _part(each.name, total, quiet=quiet) as (part, step):
                for check in each.checks:
                    with _noting(part):
                        check.verify(part, step)
            yield part


@contextmanager
def _noting(part: Part) -> Iterator[None]:
    """Note a refusal that ends a check, such as that of a row or an entry that cannot be read."""
    try:
        yield
    except (PaizaError, DecodeError) as error:
        refusal = error if isinstance(error, PaizaError) else damage_of(error)
        if refusal is None:
            raise
        part.find(refusal.reason, "{detail}", N_("the check ended there"), detail=refusal.detail)


@contextmanager
def _part(name: str, total: int, *, quiet: bool) -> Iterator[tuple[Part, Step]]:
    """Time one part, and show its progress on a terminal."""
    part = Part(name)
    begun = time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet or not on_terminal(),
    ) as progress:
        task = progress.add_task(_(NAMES[name]), total=total)
        yield part, lambda rows: progress.advance(task, rows)
    part.seconds = time.monotonic() - begun


def _print(part: Part) -> None:
    counts = ", ".join(
        ngettext(*COUNTED[what], count).format(n=number_text(count)) for what, count in part.counts.items()
    )
    verdict = _("ok") if part.passed else _("FAILED")
    seconds = f"{number_text(Decimal(f'{part.seconds:.1f}'))} " + _("s")
    click.echo(f"{_(NAMES[part.name])}: {verdict} ({counts}; {seconds})")
    for finding in part.findings:
        what, where, _remedy = finding.translated(_)
        click.echo(f"  {plain_line(where)}: {plain_line(what)} [{finding.reason}]")
    if part.more:
        click.echo("  " + _("… and {count} more").format(count=part.more))


def _as_object(part: Part) -> dict[str, object]:
    return {
        "part": part.name,
        "passed": part.passed,
        "counts": part.counts,
        "seconds": round(part.seconds, 3),
        "findings": [
            {key: value for key, value in as_object(finding).items() if key != "remedy"} for finding in part.findings
        ],
        "more_findings": part.more,
    }


COUNTED = {
    "rows": NN_("{n} row", "{n} rows"),
    "entries": NN_("{n} entry", "{n} entries"),
    "tiles": NN_("{n} tile", "{n} tiles"),
    "earlier logs": NN_("{n} earlier log", "{n} earlier logs"),
    "recovered entries": NN_("{n} recovered entry", "{n} recovered entries"),
    "deliveries": NN_("{n} delivery", "{n} deliveries"),
    "answers": NN_("{n} answer", "{n} answers"),
    "openings": NN_("{n} opening", "{n} openings"),
    "messages": NN_("{n} message", "{n} messages"),
    "bodies": NN_("{n} body", "{n} bodies"),
    "proofs": NN_("{n} proof", "{n} proofs"),
    "checkpoints": NN_("{n} checkpoint", "{n} checkpoints"),
    "misbehaviour": NN_("{n} case of misbehaviour", "{n} cases of misbehaviour"),
    "settings": NN_("{n} setting", "{n} settings"),
    "counters": NN_("{n} counter", "{n} counters"),
    "uploads": NN_("{n} upload", "{n} uploads"),
    "blocks": NN_("{n} blocked member", "{n} blocked members"),
    "officers": NN_("{n} officer", "{n} officers"),
    "certificates": NN_("{n} certificate", "{n} certificates"),
    "invitations": NN_("{n} invitation", "{n} invitations"),
    "proposals": NN_("{n} proposal", "{n} proposals"),
    "indexed": NN_("{n} indexed message", "{n} indexed messages"),
    "tasks": NN_("{n} task", "{n} tasks"),
    "deputies": NN_("{n} deputy", "{n} deputies"),
    "shift notes": NN_("{n} shift note", "{n} shift notes"),
    "saved searches": NN_("{n} saved search", "{n} saved searches"),
    "approvals": NN_("{n} approval", "{n} approvals"),
    "files": NN_("{n} file", "{n} files"),
    "bytes": NN_("{n} byte", "{n} bytes"),
    "grants": NN_("{n} grant", "{n} grants"),
    "periods": NN_("{n} period", "{n} periods"),
}
