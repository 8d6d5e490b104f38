"""`paiza-node init`: create a new member's node folder: configuration, keys, signing request, and data to publish.

Nothing in it depends on a register: `paiza-trust apply` makes the member's application of it, and `paiza-node join`
adds the root and the register that name the member.
"""

import json
import os
import re
import secrets
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.options import json_option, language_option
from paiza_node.ops.cli.sample import node_toml
from paiza_node.ops.config import ADDRESS, MAX_SOCKET_PATH
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import sealer_of
from paiza_node.ops.terminal import print_json
from paiza_register.documents import FORMAT
from paiza_register.pair_key import key_files as pair_files
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID, SpiffeId, certificates, key_files, keys
from paiza_wire.identity.private_keys import ED25519, INDEX, MLDSA44, P256, SEED_BYTES, X_WING
from paiza_wire.identity.sealing import Sealer
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

KEY_LIFE: Final = timedelta(days=365)  # of the encryption key; a new one overlaps it
OFFICERS: Final = """# The officers this node knows. Each is issued a certificate by this member's officer CA.
#
# [[officer]]
# id = "spiffe://MEMBER.FEDERATION/officer/NAME"
# roles = ["liaison"]                # liaison, duty, authoriser, coordinator, auditor
# unit = "border-service"
# certificate_sha256 = "…"           # 64 hex digits: openssl x509 -in officer.crt -outform DER | sha256sum
# suspended = false
"""


@click.command(
    "init",
    help=N_(
        "Create the folder of a new node: configuration, keys, signing request. "
        "A folder that is not empty is left unchanged."
    ),
)
@click.option("--member", required=True, help=N_("Member id, for example kaz."))
@click.option("--federation", required=True, help=N_("Name of the federation, for example paiza.example."))
@click.option("--folder", type=click.Path(path_type=Path), help=N_("Folder to create; default: the member id."))
@click.option("--listen", default="0.0.0.0:7401", show_default=True, help=N_("Address to serve on."))
@click.option(
    "--endpoint",
    help=N_(
        "host:port under which others reach it, several separated by commas; default: this machine's name and the port."
    ),
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("Seal the keys with the first line of this file, and name it in node.toml; default: ask."),
)
@language_option
@json_option
def command(
    member: str,
    federation: str,
    folder: Path | None,
    listen: str,
    endpoint: str | None,
    passphrase_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make a node folder."""
    target = (folder or Path(member)).absolute()
    reached = (endpoint or f"{os.uname().nodename}:{listen.rpartition(':')[2]}").split(",")
    _check(member, federation, listen, reached, target)
    phrase_path = None if passphrase_file is None else passphrase_file.absolute()
    sealer = sealer_of(phrase_path)
    sealer.passphrase()  # before anything is made: it may be refused
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".paiza-new-", dir=target.parent))
    try:
        published = _make(building, member, federation, reached, sealer)
        socket = _socket(target, member)
        _write(building / "node.toml", node_toml(member, federation, listen, socket, phrase_path).encode())
        _write(building / "officers.toml", OFFICERS.encode())
        _write(building / "member.json", json.dumps(published, indent=1, ensure_ascii=False).encode() + b"\n")
        building.rename(target)  # replaces an empty folder; nothing is there before everything is
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    if as_json:
        print_json({"folder": str(target), "federation": federation, "member": published})
        return
    click.echo(_("Made {folder} (federation {federation}).").format(folder=target, federation=federation))
    click.echo(_(NEXT).format(folder=target, member=member))


NEXT: Final = N_(
    "Next:\n"
    "1. Make the member's own keys and its application: paiza-trust apply {folder} -o {member}.application\n"
    "2. List your officers in {folder}/officers.toml.\n"
    "3. When the custodians have admitted {member}: paiza-node join FILE --config {folder}/node.toml, then doctor "
    "and run.\n"
    "Keep {folder}/keys safe: a lost log key ends this log, a lost encryption seed what was encrypted for it."
)


def _check(member: str, federation: str, listen: str, endpoints: Sequence[str], target: Path) -> None:
    if not MEMBER_ID.fullmatch(member):
        raise _usage(N_("{value!r} is not a member id such as kaz."), "--member", value=member)
    if not FEDERATION_NAME.fullmatch(federation):
        raise _usage(N_("{value!r} is not a federation's name."), "--federation", value=federation)
    for option, address in (("--listen", listen), *(("--endpoint", each) for each in endpoints)):
        if not ADDRESS.fullmatch(address):
            raise _usage(N_("{value!r} is not host:port."), option, value=address)
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise NodeStopped(
            "folder_not_empty",
            what=N_("The folder is not empty; nothing is overwritten."),
            where="{path}",
            remedy=N_("Name an empty folder or one that does not exist, with --folder."),
            path=target,
        )


def _make(folder: Path, member: str, federation: str, endpoints: Sequence[str], sealer: Sealer) -> dict[str, Any]:
    """Write keys and signing request; return the part of member.json that only this node can fill."""
    now = datetime.now(UTC).replace(microsecond=0)
    own = folder / "keys"
    own.mkdir(mode=0o700)
    tls_key = keys.generate_p256()
    key_files.write_key(own / "tls.key", P256, tls_key, sealer)
    csr = certificates.create_csr(SpiffeId(member, federation, "node"), tls_key)
    _write(folder / "node.csr", _pem(csr))
    log_key = keys.generate_ed25519()
    key_files.write_key(own / "log.key", ED25519, log_key, sealer)
    witness_key = keys.generate_mldsa44()
    key_files.write_key(own / "witness.key", MLDSA44, witness_key, sealer)
    witness = WitnessSigner.from_private_key(f"{member}.{federation}/witness/1", witness_key).witness_key
    seed = key_wrapping.generate_seed()
    key_files.write_key(own / "encryption.seed", X_WING, seed, sealer)
    key_files.write_key(own / "publisher.key", MLDSA44, keys.generate_mldsa44(), sealer)
    first, second = pair_files(own / "revocations")
    key_files.write_key(first, P256, keys.generate_p256(), sealer)
    key_files.write_key(second, MLDSA44, keys.generate_mldsa44(), sealer)
    # Here and not at the first start: a service that is shut in cannot write into its key folder.
    key_files.write_key(own / "index.key", INDEX, secrets.token_bytes(SEED_BYTES), sealer)
    origin = f"{member}.{federation}/log/1"
    public = key_wrapping.private_key_from_seed(seed).public_key
    return {
        "format": FORMAT,
        "id": member,
        "endpoints": [{"address": each} for each in endpoints],
        "log_keys": [{"origin": origin, "vkey": SignerKey.from_ed25519(origin, log_key).verifier_key.to_vkey()}],
        "witness_keys": [{"name": witness.name, "vkey": witness.to_vkey()}],
        "encryption_keys": [
            {
                "key_id": public.key_id.hex(),
                "public_key": b64encode(public.public_key_bytes).decode(),
                "not_before": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "not_after": (now + KEY_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ],
    }


def _socket(target: Path, member: str) -> str:
    """Return the admin socket: in the data folder or, where that path would be too long, in the run-time folder."""
    if len(os.fsencode(target / "data/admin.sock")) <= MAX_SOCKET_PATH:
        return "data/admin.sock"
    run_time = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return f"{run_time}/paiza-{re.sub('[^a-z0-9-]', '', member)}.sock"


def _pem(csr: bytes) -> bytes:
    body = b64encode(csr).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n".encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _usage(what: str, where: str, **values: object) -> NodeStopped:
    remedy = N_("See paiza-node init --help.")
    return NodeStopped("usage", what=what, where=where, remedy=remedy, **values)
