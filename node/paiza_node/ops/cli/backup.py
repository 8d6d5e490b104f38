"""`paiza-node backup`: copy the node to one file, while it runs or not (`paiza_node.ops.backup.container`).

This process makes the copy, not the node's: it only reads, and the node continues. The node is informed before, and
logs it (BACKED_UP), so that the copy contains its own entry. A node that does not run logs it at its next start.
"""

import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.core.log.checks import check_head
from paiza_node.core.storage.findings import Part
from paiza_node.core.storage.scanning import open_scan
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.backup import container
from paiza_node.ops.backup.container import Manifest
from paiza_node.ops.backup.record import ID_BYTES, BackupRecord, save_record
from paiza_node.ops.backup.store.copying import copy_out, settle_copy
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.language import _, number_text
from paiza_node.ops.offline import check_database, known_register
from paiza_node.ops.terminal import iso, print_json, shown_bytes
from paiza_register import Member
from paiza_wire.errors import Unavailable

_WHOLE_DIGITS: Final = 64  # hex digits in the name of a whole attachment; an unfinished one has more characters


@click.command(
    "backup",
    help=N_(
        "Copy the node to FILE: database, signed checkpoint, verified registers and, on request, "
        "attachments. Works while the node runs, on SQLite and PostgreSQL. Keys are NOT in it: "
        "keep a sealed copy of the key folder elsewhere."
    ),
)
@shared
@json_option
@click.option(
    "--with-attachments", is_flag=True, help=N_("The files of attachments too; else copy their folder apart.")
)
@click.argument("file", type=click.Path(path_type=Path))
def command(config_path: Path, log_level: str | None, file: Path, *, as_json: bool, with_attachments: bool) -> None:
    """Make a backup."""
    config = settings(config_path, log_level)
    check_database(config)
    container.check_new(file.absolute())
    backup_id = secrets.token_bytes(ID_BYTES)
    begun = _begin(config, backup_id)
    manifest, record = make_backup(
        config,
        file.absolute(),
        lambda: datetime.now(UTC),
        backup_id=backup_id,
        logged=begun is not None,
        with_attachments=with_attachments,
    )
    size = file.stat().st_size
    if as_json:
        print_json(
            {
                "file": str(file),
                "bytes": size,
                "sha256": record.sha256.hex(),
                "entries": manifest.size,
                "messages": manifest.messages,
                "created_time": iso(manifest.created_time),
                "with_attachments": with_attachments,
                "keys": False,
                "logged": begun is not None,
                "witnessed": bool(begun),
            }
        )
        return
    told = _("{file}: {entries} entries, {messages} messages, {bytes}; read back and checked. SHA-256 {digest}")
    click.echo(
        told.format(
            file=file,
            entries=number_text(manifest.size),
            messages=number_text(manifest.messages),
            bytes=shown_bytes(size),
            digest=record.sha256.hex(),
        )
    )
    if begun is None:
        click.echo(_("The node does not run: it logs this backup when it starts. Then make another one."), err=True)
    elif not begun:
        click.echo(
            _("Its last entries are not witnessed: `paiza-node peers` shows which members do not cosign, and why."),
            err=True,
        )
    click.echo(
        _("The keys are not in it: keep one sealed copy of {keys} apart from it.").format(keys=config.keys), err=True
    )
    if not with_attachments:
        folder = config.data / "attachments"
        click.echo(_("Attachments are not in it: copy {folder} beside it.").format(folder=folder), err=True)


def make_backup(
    config: Config,
    file: Path,
    clock: Callable[[], datetime],
    *,
    backup_id: bytes,
    logged: bool,
    with_attachments: bool,
) -> tuple[Manifest, BackupRecord]:
    """Copy, check the copy against the signed checkpoint, pack, read back, and record it.

    ``logged``: the copy contains its own BACKED_UP entry. A crash leaves nothing under the file's name; a remaining
    side file begins with a dot and may be deleted.
    """
    check_database(config)
    _reader, register = known_register(config)
    member = register.described_member(config.member)
    # Read before the copy: a checkpoint is signed only after its entries are committed.
    note = read_checkpoint(config.data / "checkpoint")
    now = clock()
    try:
        staging = tempfile.TemporaryDirectory(dir=file.parent, prefix=".paiza-backup-")
    except OSError as error:
        raise NodeStopped(
            "file_unwritable",
            what=N_("The folder cannot be written: {error}."),
            where="{path}",
            remedy=N_("Name a file in a folder the node's user may write to."),
            error=error.strerror,
            path=file.parent,
        ) from error
    with staging as folder:
        copy = Path(folder) / container.DATABASE
        kind = copy_out(config.database, copy)
        origin = member.origin
        size, messages = check_copy(copy, member, note, origin)
        register_files = _register_files(config)

        def files() -> dict[str, Path]:
            attachments = _attachment_files(config) if with_attachments else {}
            return {container.DATABASE: copy, **register_files, **attachments}

        unnamed = Manifest(
            backup_id=backup_id,
            member=config.member,
            federation=config.federation,
            origin=origin,
            size=size,
            messages=messages,
            checkpoint=note or b"",
            database=kind,
            created_time=now,
            with_attachments=with_attachments,
            files={},
        )
        manifest, digest = container.pack(file, unnamed, files)
    record = BackupRecord(backup_id, now, size, bytes.fromhex(digest), str(file), logged)
    save_record(config.data, record)
    return manifest, record


def check_copy(copy: Path, member: Member, note: bytes | None, origin: str) -> tuple[int, int]:
    """Check that a copied database leads to its signed checkpoint; return the sizes of its log and of its messages.

    ``origin`` names its log, which may not be the member's newest any more.
    """
    part = Part("log")
    with open_scan(f"sqlite:///{copy}") as scan:
        check_head(scan, member, note, part, origin)
        head = log_store.head(scan)
    settle_copy(copy)
    for finding in part.findings:
        raise NodeStopped(
            finding.reason,
            what=finding.what,
            where=finding.where,
            remedy=N_("Run `paiza-node verify`. A database that fails verification is not backed up."),
        )
    return head.size, head.messages


def _register_files(config: Config) -> dict[str, Path]:
    folder = config.data / "register"
    found = sorted(path for path in folder.rglob("[!.]*") if path.is_file())
    return {container.REGISTER + path.relative_to(folder).as_posix(): path for path in found}


def _attachment_files(config: Config) -> dict[str, Path]:
    """Return the attachments that are whole: their names are their digests, and they never change."""
    folder = config.data / "attachments"
    whole = sorted(path for path in folder.rglob("*") if path.is_file() and len(path.name) == _WHOLE_DIGITS)
    return {container.ATTACHMENTS + path.relative_to(folder).as_posix(): path for path in whole}


def _begin(config: Config, backup_id: bytes) -> bool | None:
    """Make the running node log the backup; return whether the entry is witnessed, None if no node runs.

    A crash after it leaves the entry of a backup that does not exist.
    """
    try:
        with AdminClient(config.admin_socket) as client:
            return client.begin_backup(backup_id)
    except Unavailable as error:
        if error.reason != "node_unreachable":
            raise
        return None
