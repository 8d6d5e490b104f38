"""`paiza-node restore`: restore a backup, and continue without ever signing a second history.

A backup is older than what the node signed after it was made. Therefore the other members are asked what they hold of
our log. If that is no more than the backup has, the log continues under its name. If it is more, that log has ended:
its next entries were signed already and are lost here. Then the log continues under the next name, which the members
must have admitted, and the node, once it runs, recovers from the others what they hold
(`paiza_node.features.recovery.restore_from_peers`).

The command is atomic: until the database is in its place nothing was changed, and the command can be repeated.
"""

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from paiza_node.core.access.operator import operator
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.recovery.progress import SETTING, Progress
from paiza_node.ops.backup import container
from paiza_node.ops.backup.container import Manifest, bad_backup
from paiza_node.ops.backup.restored import Compared, compare, unpacked
from paiza_node.ops.backup.store.continuing import Ended, continue_log, hold_officers, put_setting
from paiza_node.ops.backup.store.copying import bring_up_to_date, copy_in, holds_something, settle_copy
from paiza_node.ops.cli.backup import check_copy
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import prepare_data
from paiza_node.ops.keys import make_log_key
from paiza_node.ops.language import _, ngettext, number_text
from paiza_node.ops.offline import known_register
from paiza_node.ops.terminal import iso, print_json, shown_time
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.tiles import TileTree


@dataclass(frozen=True)
class Restored:
    """The result of a restore: the log that continues, its size, and the losses of the earlier ones."""

    manifest: Manifest
    origin: str
    size: int
    lost: list[tuple[str, int, int]]
    """Origin, number of remaining entries, former number."""
    held: bool
    """Whether officers are on hold, and invitations void: changes of them may be lost."""
    answered: Collection[str]


@click.command(
    "restore",
    help=N_(
        "Restore the backup FILE into an empty database and compare it with what the other "
        "members hold. If they hold more, the log continues under a new name, which the members "
        "must admit first, and the lost data is fetched from them once the node runs. The keys "
        "must be in place already."
    ),
)
@shared
@json_option
@click.option(
    "--without",
    multiple=True,
    metavar="MEMBER",
    help=N_("Continue without this member, which cannot be reached. Data that only it holds stays lost."),
)
@click.argument("file", type=click.Path(path_type=Path))
def command(config_path: Path, log_level: str | None, file: Path, without: tuple[str, ...], *, as_json: bool) -> None:
    """Restore a backup."""
    config = settings(config_path, log_level)
    restored = restore(config, file.absolute(), without, datetime.now(UTC))
    if as_json:
        print_json(
            {
                "made": iso(restored.manifest.created_time),
                "messages": restored.manifest.messages,
                "origin": restored.origin,
                "entries": restored.manifest.size,
                "lost": [
                    {"origin": origin, "left": left, "were": were, "entries": were - left}
                    for origin, left, were in restored.lost
                ],
                "asked": sorted(restored.answered),
                "without": sorted(without),
                "officers_on_hold": restored.held,
            }
        )
        return
    _tell(restored)


def _tell(restored: Restored) -> None:
    made = shown_time(restored.manifest.created_time)
    click.echo(
        _("The backup of {time} is in place: {entries} entries, {messages} messages.").format(
            time=made, entries=number_text(restored.manifest.size), messages=number_text(restored.manifest.messages)
        )
    )
    for origin, left, were in restored.lost:
        text = ngettext(
            "{lost} entry of {origin} is lost. The log continues as {next}.",
            "{lost} entries of {origin} are lost. The log continues as {next}.",
            were - left,
        )
        click.echo(text.format(origin=origin, lost=number_text(were - left), next=restored.origin))
    if not restored.lost:
        click.echo(_("No member holds more of the log than the backup: the log continues under its name."))
    if restored.held:
        click.echo(
            _(
                "Open invitations are void, and officers may not act until you have confirmed them: read `paiza-node"
                " officer list`, suspend or remove who left, then run `paiza-node officer confirm --all`."
            )
        )
    click.echo(
        _(
            "Now start the node. `paiza-node status` shows from which members it still recovers. Then"
            " run `paiza-node verify` and make a new backup."
        )
    )


def restore(config: Config, file: Path, without: Collection[str], now: datetime) -> Restored:
    """Restore a backup into an empty database.

    1. The backup is whole, and this node's; its target is empty.
    2. Its log is whole, and leads to the checkpoint it was signed with.
    3. Every other active member returns what it holds of our logs.
    4. If any holds more: the log continues under a name that is admitted and of which no member holds anything.
       Unless the copy is known to be the newest state, its officers are held and its open invitations void.
    5. The database is put in its place, then the checkpoint beside it. A crash in between leaves the checkpoint before,
       which the node takes for what it is.
    """
    # 1.
    manifest = container.check(file)
    if (manifest.member, manifest.federation) != (config.member, config.federation):
        raise bad_backup(file, N_("It belongs to another node: {member}.{federation}."), **_named(manifest))
    prepare_data(config)
    _check_empty(config)
    with tempfile.TemporaryDirectory(dir=config.data, prefix=".restoring-") as folder:
        staging = Path(folder)
        container.extract(file, staging)
        copy = staging / container.DATABASE
        unpacked(staging, config.data)
        # 2.
        _reader, archived = known_register(config)
        bring_up_to_date(copy)
        check_copy(copy, archived.member(config.member), manifest.checkpoint, manifest.origin)
        # 3.
        compared = compare(config, without, now)
        # 4.
        restored = _go_on(config, manifest, copy, compared, without, now)
        # 5.
        copy_in(copy, config.database)
        _save_checkpoint(config, restored, compared, copy, now)
    return restored


def _check_empty(config: Config) -> None:
    if holds_something(config.database):
        raise NodeStopped(
            "folder_not_empty",
            what=N_("The database is not empty. Nothing was overwritten."),
            where="{place}",
            remedy=N_("Move it away and keep it, or name an empty database in node.toml. Then restore again."),
            place=config.database.rpartition("@")[2],
        )


def _go_on(
    config: Config, manifest: Manifest, copy: Path, compared: Compared, without: Collection[str], now: datetime
) -> Restored:
    """Decide under which name the log continues, and prepare the copy for it."""
    own, shown = compared.register.member(config.member), compared.shown.largest
    newest = own.origin
    size = _size(copy)
    lost: list[tuple[str, int, int]] = []
    if (known := shown.get(manifest.origin)) is not None:
        theirs = known[0]
        if theirs.size > size:
            lost.append((manifest.origin, size, theirs.size))
        elif _root(copy, theirs.size) != theirs.root:  # the copy itself is of a second history
            lost.append((manifest.origin, 0, theirs.size))
    origins = own.origins
    for later in origins[origins.index(manifest.origin) + 1 :]:  # logs that continued after this backup was made
        lost += [(later, 0, shown[later][0].size)] if later in shown else []
    if not lost and newest == manifest.origin:
        if without:  # they may hold entries about officers
            hold_officers(copy)
        put_setting(copy, SETTING, Progress.begin(compared.answered).to_bytes())
        settle_copy(copy)
        return Restored(manifest, newest, size, [], held=bool(without), answered=compared.answered)
    if newest == manifest.origin or newest in shown:
        raise _must_be_admitted(config, newest, lost)
    ended, by = shown.get(manifest.origin, (None, ""))
    largest = manifest.checkpoint if ended is None else ended.note
    gap = Ended(manifest.origin, manifest.checkpoint, largest, sum(were for _origin, _left, were in lost), by)
    hold_officers(copy)
    size, _new_root = continue_log(copy, gap, operator(), compared.register.version, now)
    progress = Progress.begin(compared.answered, [(origin, left) for origin, left, _were in lost])
    put_setting(copy, SETTING, progress.to_bytes())
    settle_copy(copy)
    return Restored(manifest, newest, size, lost, held=True, answered=compared.answered)


def _must_be_admitted(config: Config, newest: str, lost: list[tuple[str, int, int]]) -> NodeStopped:
    name, _slash, number = newest.rpartition("/")
    origin = f"{name}/{int(number) + 1}"
    key = make_log_key(config, origin)
    return NodeStopped(
        "log_continues",
        what=N_("{entries} signed entries are not in this backup. The log must continue under a new name."),
        where="{origin}",
        remedy=N_(
            "Its key was made: keep it with the others. Ask the members to admit {origin} with the "
            "key {vkey} (paiza-trust propose log-origin), then run this command again."
        ),
        entries=sum(were - left for _origin, left, were in lost),
        origin=origin,
        vkey=key.verifier_key.to_vkey(),
    )


def _save_checkpoint(config: Config, restored: Restored, compared: Compared, copy: Path, now: datetime) -> None:
    """Save a signed checkpoint beside the database: that of the beginning of the log that continues."""
    file = CheckpointSlots(config.data / "checkpoint")
    try:
        if restored.origin == restored.manifest.origin:
            if file.load() is None:
                file.save(restored.manifest.checkpoint)
            return
        signed = Checkpoint(restored.origin, restored.size, _root(copy, restored.size))
        known = compared.register.member(config.member).log_keys
        file.save(LogSigner(compared.keys.log, known).sign(signed, now))
    finally:
        file.close()


def _size(copy: Path) -> int:
    with open_scan(f"sqlite:///{copy}") as scan:
        return log_store.head(scan).size


def _root(copy: Path, size: int) -> bytes:
    with open_scan(f"sqlite:///{copy}") as scan:
        return TileTree(log_store.head(scan).size, partial(log_store.tile, scan)).root(size)


def _named(manifest: Manifest) -> dict[str, object]:
    return {"member": manifest.member, "federation": manifest.federation}
