"""`paiza-node rotate node-ca|officer-ca`: announce another CA of the member, and show which count until when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.rotate import announcement
from paiza_node.ops.cli.rotate.running import ask_node
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.given_files import MAX_CERTIFICATE_FILE, read_given
from paiza_node.ops.language import _
from paiza_node.ops.terminal import HASH_DIGITS, iso, print_json, print_table, shown_time
from paiza_register.ceremony import Base
from paiza_register.ceremony.rotation import Dates, authority_announced
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import Role, keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key


def _command(role: Role, name: str, explained: str) -> click.Command:
    """Return the command for the CAs of a role."""

    @click.command(name, help=explained)
    @shared
    @click.option(
        "--certificate",
        type=click.Path(path_type=Path),
        help=N_("The certificate of the next CA, from the person or the service that holds its key."),
    )
    @announcement.FROM
    @announcement.UNTIL
    @click.option(
        "--stolen", is_flag=True, help=N_("The present CA counts no more, and no certificate that it issued.")
    )
    @announcement.OUTPUT
    @click.option("--status", is_flag=True, help=N_("Show the keys and what is missing; change nothing."))
    @json_option
    def command(
        config_path: Path,
        log_level: str | None,
        certificate: Path | None,
        begins: datetime | None,
        until: datetime | None,
        output: Path | None,
        *,
        stolen: bool,
        status: bool,
        as_json: bool,
    ) -> None:
        config = settings(config_path, log_level)
        if status:
            _show_status(config, role, as_json=as_json)
            return
        if stolen and (begins or until):
            raise click.UsageError(_("A stolen key counts no more from now on: leave out --from and --until."))
        if certificate is None:
            raise click.UsageError(_("Name the certificate of the next CA with --certificate."))
        dates = Dates(announcement.in_utc(begins), announcement.in_utc(until), stolen)
        _announce(config, role, certificate, dates, announcement.check_output(config, output), as_json=as_json)

    return command


node_ca = _command(
    "node",
    "node-ca",
    N_("Announce the next CA that certifies the member's nodes, whose key is elsewhere. Both count until --until."),
)
officer_ca = _command(
    "officer",
    "officer-ca",
    N_("Announce the next CA that certifies the member's officers, whose key is elsewhere. Both count until --until."),
)


def _announce(config: Config, role: Role, file: Path, dates: Dates, output: Path, *, as_json: bool) -> None:
    certificate = _read(file)
    key = keys.fingerprint(p256_key(load_certificate(certificate)))
    made = announcement.write_announcement(config, partial(_files, config, role, certificate, dates), output)
    ask_node(config, lambda client: client.announce_key(f"{role}-ca", key))
    if as_json:
        print_json({"key_sha256": key.hex(), **announcement.as_object(made)})
        return
    announcement.print_next(made)


def _files(
    config: Config, role: Role, certificate: bytes, dates: Dates, base: Base, now: datetime
) -> Mapping[str, bytes]:
    member, kept = config.member, config.delivery_life
    made = authority_announced(base, member, role, certificate, now, dates, kept=kept)
    return {f"members/{member}/member.json": made}


def _read(file: Path) -> bytes:
    try:
        certificate = PEM_cert_to_DER_cert(read_given(file, MAX_CERTIFICATE_FILE).decode("ascii"))
        p256_key(load_certificate(certificate))
    except (OSError, ValueError, Rejected) as error:
        raise NodeStopped(
            "file_unreadable",
            what=N_("The certificate cannot be read: {error}."),
            where="{path}",
            remedy=N_("Name the file of the CA's certificate, in PEM."),
            path=file,
            error=str(error),
        ) from error
    return certificate


def _show_status(config: Config, role: Role, *, as_json: bool) -> None:
    last, now = open_reader(config).last, datetime.now(UTC)
    if last is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    cas = last.described_member(config.member).authority.cas(role)
    named = [(keys.fingerprint(p256_key(load_certificate(ca.certificate))).hex(), ca) for ca in cas]
    if as_json:
        values: list[dict[str, Any]] = [
            {"key_sha256": key, "from": iso(ca.begins), "until": iso(ca.ends), "counts": ca.begins <= now <= ca.ends}
            for key, ca in named
        ]
        print_json({"cas": values})
        return
    print_table(
        (_("key"), _("from"), _("until"), _("counts now")),
        [
            (
                key[:HASH_DIGITS],
                shown_time(ca.begins),
                shown_time(ca.ends),
                _("yes") if ca.begins <= now <= ca.ends else _("no"),
            )
            for key, ca in named
        ],
    )
