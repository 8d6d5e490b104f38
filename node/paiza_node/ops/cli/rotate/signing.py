"""`paiza-node rotate log` and `rotate witness`: another key for the member's log, and for what it cosigns.

The custodians admit a key before anybody believes it, so it is proposed to them. When a former key ends is for the
member alone to say: in the proposal, or later in an announcement under the member's own key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.rotate import announcement
from paiza_node.ops.cli.rotate.running import ask_node
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.keys import load_log_signers, load_witness_signer, make_next_log_key, make_next_witness_key
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import node_sealer
from paiza_node.ops.terminal import iso, print_json, print_table, shown_time
from paiza_register import Member
from paiza_register.ceremony.rotation import keys_ended
from paiza_register.ceremony.times import time_text
from paiza_wire.errors import Unavailable

_STOLEN: Final = click.option(
    "--stolen", is_flag=True, help=N_("Abandon the former key from now on: somebody else may hold it.")
)
_OUTPUT: Final = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=N_("File for the announcement that ends a former key; the trust officer signs it."),
)
_STATUS: Final = click.option("--status", is_flag=True, help=N_("Show the keys and what is missing; change nothing."))


@dataclass(frozen=True, slots=True)
class _Named:
    """A key that the register names: the vkey begins with the name of the log or witness and the key id."""

    vkey: str
    until: datetime | None

    @property
    def shown(self) -> str:
        return "+".join(self.vkey.split("+")[:2])


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is particular to keys of the log, or of the witness. The newest key is the last of ``named``."""

    name: str
    proposal: str
    listed: str
    named: Callable[[Member], list[_Named]]
    held: Callable[[Config, Member], list[str]]
    make_next: Callable[[Config, Member], str]


def _log_keys(own: Member) -> list[_Named]:
    return [_Named(key.vkey, key.until) for key in own.log_keys if key.origin == own.origin]


def _held_log_keys(config: Config, own: Member) -> list[str]:
    signers = load_log_signers(config, own, own.origin, node_sealer(config))
    return [signer.verifier_key.to_vkey() for signer in signers]


_LOG: Final = _Kind(
    "log",
    "log-key",
    "log_keys",
    _log_keys,
    _held_log_keys,
    lambda config, own: make_next_log_key(config, own).verifier_key.to_vkey(),
)
_WITNESS: Final = _Kind(
    "witness",
    "witness",
    "witness_keys",
    lambda own: [_Named(key.vkey, key.until) for key in own.witness_keys],
    lambda config, own: [load_witness_signer(config, own, node_sealer(config)).witness_key.to_vkey()],
    lambda config, own: make_next_witness_key(config, own).witness_key.to_vkey(),
)


@click.command(
    "log",
    help=N_(
        "Make another key for the log, and show how the custodians admit it. The log keeps its name; it is signed with "
        "both keys until the former one is abandoned. With --until or --stolen, when the register names the new key "
        "already: announce when the former one is abandoned."
    ),
)
@shared
@announcement.UNTIL
@_STOLEN
@_OUTPUT
@_STATUS
@json_option
def log(
    config_path: Path,
    log_level: str | None,
    until: datetime | None,
    output: Path | None,
    *,
    stolen: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Replace the key of the log."""
    _rotate(_LOG, settings(config_path, log_level), until, output, stolen=stolen, status=status, as_json=as_json)


@click.command(
    "witness",
    help=N_(
        "Make the key of the next witness, and show how the custodians admit it. The node cosigns with it as soon as "
        "the register names it. With --until or --stolen, when the register names the new key already: announce when "
        "the former one is abandoned."
    ),
)
@shared
@announcement.UNTIL
@_STOLEN
@_OUTPUT
@_STATUS
@json_option
def witness(
    config_path: Path,
    log_level: str | None,
    until: datetime | None,
    output: Path | None,
    *,
    stolen: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Replace the key of the witness."""
    _rotate(_WITNESS, settings(config_path, log_level), until, output, stolen=stolen, status=status, as_json=as_json)


def _rotate(
    kind: _Kind,
    config: Config,
    until: datetime | None,
    output: Path | None,
    *,
    stolen: bool,
    status: bool,
    as_json: bool,
) -> None:
    now, own = datetime.now(UTC), _own(config)
    if status:
        _show_status(kind, config, own, now, as_json=as_json)
        return
    if stolen and until:
        raise click.UsageError(_("A stolen key counts no more from now on: leave out --until."))
    ends = now if stolen else announcement.in_utc(until)
    former = [key for key in kind.named(own)[:-1] if key.until is None or key.until > now]
    if former and ends is not None:
        _end(kind, config, former, ends, announcement.check_output(config, output), as_json=as_json)
    else:
        _propose(kind, config, own, ends, stolen=stolen, as_json=as_json)


def _end(kind: _Kind, config: Config, former: Sequence[_Named], ends: datetime, output: Path, *, as_json: bool) -> None:
    """Announce when the former keys end; the register names another one already."""
    vkeys = [key.vkey for key in former]
    made = announcement.write_announcement(
        config,
        lambda base, _now: {
            f"members/{config.member}/member.json": keys_ended(base, config.member, kind.listed, vkeys, ends)
        },
        output,
    )
    if as_json:
        print_json({"ended": vkeys, "until": iso(ends), **announcement.as_object(made)})
        return
    for key in former:
        click.echo(_("{key}: abandoned from {time} on.").format(key=key.shown, time=shown_time(ends)))
    announcement.print_next(made)


def _propose(kind: _Kind, config: Config, own: Member, ends: datetime | None, *, stolen: bool, as_json: bool) -> None:
    """Make the key, or read the one that waits, and show what the custodians do."""
    vkey = kind.make_next(config, own)
    digest = sha256(vkey.encode()).digest()
    ask_node(config, lambda client: client.announce_key(kind.name, digest))
    option = "" if ends is None else " --stolen" if stolen else f" --until {time_text(ends)}"
    command = f"paiza-trust propose {kind.proposal} '{vkey}'{option}"
    if as_json:
        print_json({"vkey": vkey, "vkey_sha256": digest.hex(), "propose": command})
        return
    click.echo(_("The key was made. Keep it with the others, and make a backup of the key folder."))
    click.echo(_("Next:"))
    click.echo(_("1. A custodian proposes it, and the others and the member's trust officer sign:"))
    click.echo(f"   {command}")
    click.echo(_("2. The node uses the key as soon as the register names it: see --status."))
    if ends is None:
        click.echo(_("3. Then end the former key: --until, or --stolen."))


def _show_status(kind: _Kind, config: Config, own: Member, now: datetime, *, as_json: bool) -> None:
    named, held = kind.named(own), _held(kind, config, own)
    counts = [key.until is None or key.until > now for key in named]
    if as_json:
        keys = [
            {"vkey": key.vkey, "until": iso(key.until), "counts": each, "held": key.vkey in held}
            for key, each in zip(named, counts, strict=True)
        ]
        print_json({"keys": keys})
        return
    print_table(
        (_("key"), _("until"), _("counts"), _("in use here")),
        [
            (
                key.shown,
                "-" if key.until is None else shown_time(key.until),
                _("yes") if each else _("no"),
                _("yes") if each and key.vkey in held else _("no"),
            )
            for key, each in zip(named, counts, strict=True)
        ],
    )


def _held(kind: _Kind, config: Config, own: Member) -> list[str]:
    """Return the keys in the key folder that the register names; none if the newest is missing, or is refused."""
    try:
        return kind.held(config, own)
    except NodeStopped:
        return []


def _own(config: Config) -> Member:
    last = open_reader(config).last
    if last is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    return last.described_member(config.member)
