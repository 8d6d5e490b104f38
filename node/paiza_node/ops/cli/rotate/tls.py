"""`paiza-node rotate tls`: another TLS key, or another certificate of the present one."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from ssl import DER_cert_to_PEM_cert, PEM_cert_to_DER_cert
from typing import Any, Final

import click

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_node.core.errors import N_
from paiza_node.ops import tls_rotation
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.rotate.running import ask_node, reload_node
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.keys import NEXT_TLS_KEY, node_certificate_file
from paiza_node.ops.language import _, language
from paiza_node.ops.terminal import HASH_DIGITS, iso, print_facts, print_json, shown_time
from paiza_register import Register
from paiza_register.archive import write_durably
from paiza_wire.errors import Unavailable
from paiza_wire.identity import certificates, load_certificate

ISSUED: Final = "tls-next.crt"  # as the issuer answered, before it is checked


@click.command(
    "tls",
    help=N_(
        "Make the node's next TLS key and a signing request for it. With --certificate, put the certificate in place "
        "that the member's node CA issued: the node shows it from the next connection on. Until then the present key "
        "stays in use. Where node.toml names an issuer, one command does all of it."
    ),
)
@shared
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    help=N_("The certificate, from `paiza-trust ca certify`, of the next key or of the present one."),
)
@click.option(
    "--stolen",
    is_flag=True,
    help=N_("Once the new certificate is in place, revoke all others and their keys. This cannot be undone."),
)
@click.option(
    "--revoke-former",
    is_flag=True,
    help=N_("Make no key: revoke all former certificates and their keys. This cannot be undone."),
)
@click.option("--status", is_flag=True, help=N_("Show the keys and what is missing; change nothing."))
@json_option
def command(
    config_path: Path,
    log_level: str | None,
    certificate: Path | None,
    *,
    stolen: bool,
    revoke_former: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Replace the TLS key."""
    config = settings(config_path, log_level)
    if revoke_former and (stolen or status or certificate is not None):
        raise click.UsageError(_("--revoke-former stands alone."))
    if revoke_former:
        _revoke_former(config, as_json=as_json)
    elif status:
        _show_status(config, as_json=as_json)
    elif certificate is not None:
        _install(config, certificate, stolen=stolen, as_json=as_json)
    elif config.issuer_socket is not None:
        _install(config, _issued(config), stolen=stolen, as_json=as_json)
    elif stolen:
        raise click.UsageError(
            _("--stolen revokes the former certificates once another one is in place: --certificate FILE.")
        )
    else:
        _request(config, as_json=as_json)


def _request(config: Config, *, as_json: bool) -> None:
    made = tls_rotation.request(config)
    ask_node(config, lambda client: client.announce_key("tls", made.key_sha256))
    if as_json:
        print_json({"request": str(made.file), "key_sha256": made.key_sha256.hex()})
        return
    click.echo(_("{file}: the signing request for the node's next TLS key.").format(file=made.file))
    click.echo(_("Fingerprint of the key: {words}").format(words=fingerprint_words(made.key_sha256, language())))
    click.echo(_("Next:"))
    click.echo(
        _("1. The holder of the node CA: paiza-trust ca certify {file} -o tls-next.crt").format(file=made.file.name)
    )
    click.echo(_("2. Here: paiza-node rotate tls --certificate tls-next.crt"))


def _issued(config: Config) -> Path:
    """Make the next key and have the issuer certify it; return the file of the certificate."""
    made = tls_rotation.request(config)
    with AdminClient(config.admin_socket) as client:
        certificate = client.certify_key(certificates.csr_from_pem(made.file.read_bytes()))
    file = config.keys / ISSUED
    write_durably(file, DER_cert_to_PEM_cert(certificate).encode())
    return file


def _install(config: Config, file: Path, *, stolen: bool, as_json: bool) -> None:
    now = datetime.now(UTC)
    installed = tls_rotation.install(config, file, _register(config), now)
    runs = reload_node(config) is not None
    tls_rotation.settle(config)
    (config.keys / ISSUED).unlink(missing_ok=True)
    former = tls_rotation.former_certificates(config, now)
    revoked = _revoke_all(config, former) if stolen else b""
    counting = [] if stolen else _counting(config, former)
    if as_json:
        done = {"expiry_time": iso(installed.expiry_time), "runs": runs, "register_version": revoked.hex() or None}
        print_json({**done, "former_expiry_times": [iso(each) for each in counting]})
        return
    until = shown_time(installed.expiry_time)
    if runs:
        click.echo(_("The node shows the certificate, which is valid until {time}.").format(time=until))
    else:
        click.echo(_("The certificate is in place, valid until {time}. The node does not run.").format(time=until))
    if revoked:
        _show_revoked(revoked)
    if counting:
        _show_counting(counting)


def _revoke_former(config: Config, *, as_json: bool) -> None:
    former = tls_rotation.former_certificates(config, datetime.now(UTC))
    revoked = _revoke_all(config, former)
    if as_json:
        print_json({"register_version": revoked.hex() or None})
    elif revoked:
        _show_revoked(revoked)
    else:
        click.echo(_("No former certificate counts any more."))


def _revoke_all(config: Config, former: list[bytes]) -> bytes:
    """Revoke the former certificates, and those that the issuer issued for other keys; return as `_revoke`.

    A thief who could ask the issuer may have more of them, which this node has never seen.
    """
    version = _revoke(config, former)
    if config.issuer_socket is None:
        return version
    with AdminClient(config.admin_socket) as client:
        issued = tls_rotation.of_other_keys(config, client.node_certificates(), datetime.now(UTC))
    return _revoke(config, [each for each in issued if each not in former]) or version


def _revoke(config: Config, certificates: list[bytes]) -> bytes:
    """Revoke these certificates; return the newest register version with them, empty if all were revoked before."""
    version = b""
    if certificates:
        with AdminClient(config.admin_socket) as client:
            for certificate in certificates:
                version = client.revoke_certificate(certificate) or version
    return version


def _counting(config: Config, former: list[bytes]) -> list[datetime]:
    """Return until when each of these certificates counts that the last verified register does not revoke."""
    revoked = _register(config).revocations.get(config.member, frozenset())
    return [load_certificate(each).not_valid_after_utc for each in former if sha256(each).digest() not in revoked]


def _show_revoked(version: bytes) -> None:
    shown = version.hex()[:HASH_DIGITS]
    click.echo(_("All former certificates are revoked, published in the register {version}.").format(version=shown))


def _show_counting(counting: list[datetime]) -> None:
    text = _(
        "Others accept a former certificate until {time}. If a key was stolen: paiza-node rotate tls --revoke-former"
    )
    click.echo(text.format(time=shown_time(max(counting))))


def _show_status(config: Config, *, as_json: bool) -> None:
    pem = node_certificate_file(config)
    der = PEM_cert_to_DER_cert(pem.decode("ascii"))
    until = load_certificate(der).not_valid_after_utc
    waits = (config.keys / NEXT_TLS_KEY).exists()
    request = config.path.parent / tls_rotation.REQUEST
    counting = _counting(config, tls_rotation.former_certificates(config, datetime.now(UTC)))
    if as_json:
        values: dict[str, Any] = {"expiry_time": iso(until), "waits_for_certificate": waits}
        former = [iso(each) for each in counting]
        print_json({**values, "request": str(request) if waits else None, "former_expiry_times": former})
        return
    facts = [(_("certificate"), _("valid until {time}").format(time=shown_time(until)))]
    next_key = _("waits for the certificate of {file}").format(file=request) if waits else _("none")
    print_facts([*facts, (_("next key"), next_key)])
    if counting:
        _show_counting(counting)


def _register(config: Config) -> Register:
    last = open_reader(config).last
    if last is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    return last
