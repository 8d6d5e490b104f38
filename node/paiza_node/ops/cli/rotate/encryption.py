"""`paiza-node rotate encryption`: another key for what other members encrypt. Old seeds stay, and open what is old."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import click

from paiza_node.core.errors import N_
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.rotate import announcement
from paiza_node.ops.cli.rotate.running import ask_node, reload_node
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.keys import load_decryption_keys, make_key, open_key
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import node_sealer
from paiza_node.ops.terminal import HASH_DIGITS, iso, print_json, print_table, shown_time
from paiza_register import Member
from paiza_register.ceremony import Base
from paiza_register.ceremony.rotation import Dates, encryption_key_announced
from paiza_wire.errors import Unavailable
from paiza_wire.identity.private_keys import X_WING
from paiza_wire.message import key_wrapping

NEXT_SEED: Final = "encryption-next.seed"
"""The seed whose key no register names yet; the node opens it already."""

FIRST_NEXT: Final = 2  # the number of the seed that follows encryption.seed


@click.command(
    "encryption",
    help=N_(
        "Make the next encryption key and announce it. Other members encrypt for it from --from on. Old seeds stay in "
        "the key folder: what was encrypted for them still opens."
    ),
)
@shared
@announcement.FROM
@announcement.UNTIL
@click.option("--stolen", is_flag=True, help=N_("Announce that nobody may encrypt for the present keys again."))
@announcement.OUTPUT
@click.option("--status", is_flag=True, help=N_("Show the keys and what is missing; change nothing."))
@json_option
def command(
    config_path: Path,
    log_level: str | None,
    begins: datetime | None,
    until: datetime | None,
    output: Path | None,
    *,
    stolen: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Replace the encryption key."""
    config = settings(config_path, log_level)
    if status:
        _show_status(config, as_json=as_json)
        return
    if stolen and (begins or until):
        raise click.UsageError(_("A stolen key counts no more from now on: leave out --from and --until."))
    file = announcement.check_output(config, output)
    public = _next_key(config)
    reload_node(config)  # before anybody encrypts for the key
    ask_node(config, lambda client: client.announce_key("encryption", public.key_id))
    dates = Dates(announcement.in_utc(begins), announcement.in_utc(until), stolen)
    made = announcement.write_announcement(config, partial(_files, config.member, public.public_key_bytes, dates), file)
    if as_json:
        print_json({"key_id": public.key_id.hex(), **announcement.as_object(made)})
        return
    announcement.print_next(made)


def _files(member: str, public: bytes, dates: Dates, base: Base, now: datetime) -> Mapping[str, bytes]:
    return {f"members/{member}/member.json": encryption_key_announced(base, member, public, now, dates)}


def _next_key(config: Config) -> key_wrapping.EncryptionKey:
    """Open the key that was not published yet, or make one: a crash leaves one, not several."""
    _settle(config)
    if not (config.keys / NEXT_SEED).exists():
        make_key(config, NEXT_SEED, X_WING, key_wrapping.generate_seed())
    return _public_key(config, NEXT_SEED)


def _settle(config: Config) -> None:
    """Rename the next seed to its number once the register names its key."""
    path = config.keys / NEXT_SEED
    published = {key.key_id for key in _own(config).encryption_keys}
    if path.exists() and _public_key(config, NEXT_SEED).key_id in published:
        number = next(each for each in count(FIRST_NEXT) if not (config.keys / f"encryption-{each}.seed").exists())
        path.rename(config.keys / f"encryption-{number}.seed")


def _public_key(config: Config, name: str) -> key_wrapping.EncryptionKey:
    return key_wrapping.private_key_from_seed(open_key(config, name, X_WING)).public_key


def _own(config: Config) -> Member:
    last = open_reader(config).last
    if last is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    return last.described_member(config.member)


def _show_status(config: Config, *, as_json: bool) -> None:
    now, own = datetime.now(UTC), _own(config)
    held = load_decryption_keys(config, node_sealer(config))
    used = [key.key_id for key in own.encryption_keys if key.not_before <= now <= key.not_after]
    current = own.current_encryption_key(now).key_id if used else b""
    published = {key.key_id for key in own.encryption_keys}
    waits = (config.keys / NEXT_SEED).exists() and _public_key(config, NEXT_SEED).key_id not in published
    if as_json:
        keys = [
            {
                "key_id": key.key_id.hex(),
                "not_before": iso(key.not_before),
                "not_after": iso(key.not_after),
                "current": key.key_id == current,
                "held": key.key_id in held,
            }
            for key in own.encryption_keys
        ]
        print_json({"keys": keys, "waits_for_announcement": waits})
        return
    print_table(
        (_("key"), _("from"), _("until"), _("others encrypt for it"), _("in the key folder")),
        [
            (
                key.key_id.hex()[:HASH_DIGITS],
                shown_time(key.not_before),
                shown_time(key.not_after),
                _("yes") if key.key_id == current else _("no"),
                _("yes") if key.key_id in held else _("no"),
            )
            for key in own.encryption_keys
        ],
    )
    if waits:
        click.echo(_("The next key is made, and no published announcement names it yet."))
