"""`paiza-node misbehaviour`: list misbehaviour of other members' logs, restore trust in a forked one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from paiza.admin.v1 import admin_pb2
from paiza_cli.numbers import WholeNumber
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.features.witness.consistency_monitor import FORKED
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.options import json_option, language_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.language import _, number_text
from paiza_node.ops.misbehaviour import WORDS, recorded
from paiza_node.ops.offline import known_register
from paiza_node.ops.terminal import iso, print_facts, print_json, print_table, shown_time, time_of
from paiza_wire.errors import Rejected
from paiza_wire.tlog import fork_proofs


@click.group("misbehaviour", help=N_("List misbehaviour of other members' logs, and restore trust in a forked log."))
@language_option
def command() -> None:
    """Group the commands about misbehaviour."""


@command.command("list", help=N_("List all recorded misbehaviour of other members' logs, oldest first."))
@shared
@json_option
def listed(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """List."""
    found, runs = recorded(settings(config_path, log_level))
    if as_json:
        print_json({"runs": runs, "misbehaviour": [as_object(each) for each in found]})
        return
    if not runs:
        click.echo(_("The node does not run; this is what its database says."), err=True)
    head = (_("number"), _("member"), _("log"), _("what"), _("found"), _("ended"), _("reason for the decision"))
    print_table(head, [_row(each) for each in found])


@command.command(
    "show",
    help=N_(
        "Show one record. For a fork, -o writes the proof to a file: both signed notes and their contradiction. Anyone "
        "can check it with the log's public key alone, without this node."
    ),
)
@shared
@json_option
@click.argument("number", type=WholeNumber(0))
@click.option("-o", "--output", "output", type=click.Path(path_type=Path), help=N_("Write the proof to this new file."))
def show(config_path: Path, log_level: str | None, number: int, output: Path | None, *, as_json: bool) -> None:
    """Show one."""
    config = settings(config_path, log_level)
    each = _one(config, number)
    if output is not None:
        _write(output, _proof_file(config, each))
    notes = (each.proof.first_note, each.proof.second_note)
    ends = [_abandoned_since(config, each, note) for note in notes]
    if as_json:
        file = {} if output is None else {"file": str(output)}
        print_json(as_object(each) | {"abandoned_since": [iso(end) for end in ends]} | file)
        return
    print_facts(
        [
            (_("number"), str(each.number)),
            (_("member"), each.member),
            (_("log"), each.origin),
            (_("what"), _(WORDS[each.reason])),
            (_("found"), shown_time(time_of(each.found_time))),
            (_("ended"), shown_time(time_of(each.ended_time))),
            (_("reason for the decision"), each.reason_text or "-"),
        ]
    )
    for note, end in zip(notes, ends, strict=True):
        click.echo()
        click.echo(note.decode().rstrip("\n"))
        if end is not None:
            told = _(
                "Signed only with a key that the log abandoned on {time}: anybody who holds it can have made this."
            )
            click.echo(told.format(time=shown_time(end)))
    if output is not None:
        click.echo()
        click.echo(_("The proof is in {file}.").format(file=output))


@command.command(
    "restore-trust",
    help=N_(
        "Trust a forked log again. First establish with that member which history is valid. Your system user name and "
        "the reason are logged; the record of the fork stays."
    ),
)
@shared
@json_option
@click.argument("number", type=WholeNumber(0))
@click.option("--reason", required=True, help=N_("Why, in your own words."))
def restore_trust(config_path: Path, log_level: str | None, number: int, reason: str, *, as_json: bool) -> None:
    """Restore trust in one log."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _known(number):
        restored = client.restore_trust(number, reason)
    if as_json:
        print_json(as_object(restored))
        return
    message = _("The log {origin} is trusted again. What it signed up to size {size} is no longer held against it.")
    click.echo(message.format(origin=restored.origin, size=number_text(restored.accepted_up_to)))


def _one(config: Config, number: int) -> admin_pb2.Misbehaviour:
    found, _runs = recorded(config)
    for each in found:
        if each.number == number:
            return each
    raise _unknown(number)


def _unknown(number: int) -> NodeStopped:
    return NodeStopped(
        "unknown_id",
        what=N_("There is no open fork with number {number}."),
        where="",
        remedy=N_("List the numbers with `paiza-node misbehaviour list`. A default ends by itself."),
        number=number,
    )


@contextmanager
def _known(number: int) -> Iterator[None]:
    try:
        yield
    except Rejected as error:
        if error.reason == "too_large":
            raise NodeStopped(
                error.reason,
                what=N_("That log signed a size far beyond its proven one: no later fork of it could be detected."),
                where="",
                remedy=N_("Have the members admit a new log for that member (`paiza-trust propose log-origin`)."),
            ) from error
        if error.reason != "unknown_id":
            raise
        raise _unknown(number) from error


def _abandoned_since(config: Config, each: admin_pb2.Misbehaviour, note: bytes) -> datetime | None:
    _reader, register = known_register(config)
    member = register.described.get(each.member)
    return None if member is None or not note else member.abandoned_since(note, each.origin, datetime.now(UTC))


def _proof_file(config: Config, each: admin_pb2.Misbehaviour) -> bytes:
    if each.reason != FORKED:
        raise NodeStopped(
            "proof_missing",
            what=N_("A log in default has no contradiction: there is no proof to write."),
            where="",
            remedy=N_("Ask that member's operator why the log is not proven. The default ends when it is."),
        )
    _reader, register = known_register(config)
    keys = register.member(each.member).keys_of_log(each.origin)
    fork = fork_proofs.verify(each.proof.SerializeToString(deterministic=True), *keys)
    return fork_proofs.format_file(fork, *keys)


def _write(path: Path, data: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise NodeStopped(
            "file_unwritable",
            what=N_("The file cannot be written: {error}."),
            where="{path}",
            remedy=N_("Name a file that is not there yet, in a folder you may write to."),
            error=error.strerror,
            path=path,
        ) from error


def _row(each: admin_pb2.Misbehaviour) -> tuple[str, ...]:
    return (
        str(each.number),
        each.member,
        each.origin,
        _(WORDS[each.reason]),
        shown_time(time_of(each.found_time)),
        shown_time(time_of(each.ended_time)),
        each.reason_text or "-",
    )


def as_object(each: admin_pb2.Misbehaviour) -> dict[str, Any]:
    """Return a record of misbehaviour for JSON, with the text of both notes."""
    return {
        "number": each.number,
        "member": each.member,
        "origin": each.origin,
        "reason": each.reason,
        "found_time": iso(time_of(each.found_time)),
        "ended_time": iso(time_of(each.ended_time)),
        "reason_text": each.reason_text,
        "accepted_up_to": each.accepted_up_to,
        "first_note": each.proof.first_note.decode(),
        "second_note": each.proof.second_note.decode(),
    }
