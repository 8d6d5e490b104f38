"""The doctor's checks of files: who else can change what the node depends on, and which keys are there."""

import os
import stat
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Final

from paiza_node.core.errors import N_
from paiza_node.ops.config import Config
from paiza_node.ops.doctor.machine import Check, fail, ok, warn
from paiza_node.ops.keys import Keys, load_keys, load_revocations_key, unsealed_keys
from paiza_node.ops.offline import database_file
from paiza_register import Member, Register
from paiza_register.node_folder import log_key_files
from paiza_wire.errors import Rejected
from paiza_wire.identity.key_files import read_secret_file, secret_files
from paiza_wire.identity.sealing import MAX_KEY_FILE_BYTES

ROOT: Final = 0
OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check_files(config: Config) -> Iterator[Check]:
    """Check that nobody but root and the node's user can change configuration, root of trust, data and keys.

    Who can write to a folder above them can put others in their place.
    """
    name, users = N_("files"), {ROOT, node_user(config)}
    looked_at = [path for path in _depended_on(config) if path.exists()]
    found = list(dict.fromkeys(each for path in looked_at for each in changeable(path, users)))
    for path, how in found:
        yield fail(
            name,
            N_("Others than the node's user can change {path} ({how}): they decide what this node believes and does."),
            N_("Give it to the node's user or root, and chmod go-w {path}. Find out who used it."),
            path=path,
            how=how,
        )
    if not found:
        yield ok(
            name,
            N_("Only root and the node's user can change these files and the folders above them: {files}."),
            files=", ".join(map(str, looked_at)),
        )


def check_data_folder(config: Config) -> Iterator[Check]:
    """Check that the data folder is the node's user's alone, and the admin socket too."""
    name, folder, user = N_("data folder"), config.data, node_user(config)
    status = folder.stat()
    if status.st_uid != user or not os.access(folder, os.W_OK) or status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        yield fail(name, N_("{path} cannot be written."), N_("Give it to the node's own user."), path=folder)
    elif status.st_mode & OTHERS:
        yield warn(name, N_("Other users can list {path}."), N_("chmod 700 {path}"), path=folder)
    else:
        yield ok(name, N_("{path} is accessible to the node's user only."), path=folder)
    if config.admin_socket.exists():
        yield from _check_socket(config.admin_socket, user)


def _check_socket(path: Path, user: int) -> Iterator[Check]:
    name, status = N_("admin socket"), path.stat()
    if status.st_mode & OTHERS or status.st_uid != user:
        yield fail(
            name,
            N_("Others than the node's user can open {path}: they operate this node."),
            N_("Stop the node and start it again: it makes the socket for its own user. Find out who changed it."),
            path=path,
        )
    else:
        yield ok(name, N_("Only the node's user can open {path}."), path=path)


def check_keys(config: Config, register: Register, now: datetime) -> Iterator[Check]:
    """Check every key file, the certificate, and that the register names the keys in use and none that is missing."""
    name = N_("keys")
    own = register.described_member(config.member)
    exposed = list(_exposed(config))
    for path, why in exposed:
        yield fail(
            name,
            N_("Others than the node's own user may read or replace this key: {path}: {error}."),
            N_("Run as the owner; chmod 600 {path}; if others could read it for long, make a new key."),
            path=path,
            error=why,
        )
    if exposed:
        return
    mode = stat.S_IMODE(config.keys.stat().st_mode)
    if mode & OTHERS:
        yield warn(name, N_("Other users can list the key folder {path}."), N_("chmod 700 {path}"), path=config.keys)
    if unsealed := unsealed_keys(config):
        yield warn(
            name,
            N_("Not under a passphrase: {files}. A copy of the folder is enough to act in this member's name."),
            N_(
                "Right only on a machine that holds no secrets; elsewhere remove sealed = false and make the keys anew."
            ),
            files=", ".join(unsealed),
        )
    keys = load_keys(config, own)  # raises if the register names another log key or witness key
    der = PEM_cert_to_DER_cert(keys.tls.certificate.decode())
    register.certificate_verifier().node(der, expected_member=config.member, at=now)  # raises if others would refuse it
    unnamed = [*_check_named(config, register, keys), *_check_log_keys(config, own, keys, now)]
    yield from unnamed
    if not (mode & OTHERS or unnamed):
        yield ok(name, N_("Only the node's own user can read them, and the register names them."))
    if own.current_encryption_key(now).key_id not in keys.decryption:
        yield fail(
            N_("encryption key"),
            N_("Other members encrypt for a key that is not in the key folder: {key}."),
            N_("Restore its seed as encryption*.seed. Without it no incoming message can be opened."),
            key=own.current_encryption_key(now).key_id.hex()[:16],
        )


def _check_named(config: Config, register: Register, keys: Keys) -> Iterator[Check]:
    """Check the keys whose place the register may have given to others: the publisher's, and that of revocations."""
    name, member = N_("keys"), config.member
    published = register.publishers.get(member)
    if published != (None if keys.publisher is None else keys.publisher.public_key.keyid):
        yield warn(
            name,
            N_("The register does not name publisher.key of this node: it publishes nothing."),
            N_("Restore the key, or have the custodians admit this one (`paiza-trust propose publisher`)."),
        )
    if load_revocations_key(config).public_key.keyid not in register.revocation_keys.get(member, ()):
        yield fail(
            name,
            N_("The register does not name the pair revocations-*.pem of this node: it can revoke nothing."),
            N_("Restore the pair, or have the custodians admit this one (`paiza-trust propose publisher`)."),
        )


def _check_log_keys(config: Config, own: Member, keys: Keys, now: datetime) -> Iterator[Check]:
    """Check that each key of the log in use is there until it is abandoned: with each of them the node signs."""
    held = {signer.verifier_key.to_vkey() for signer in keys.log}
    for key in own.log_keys:
        if key.origin == own.origin and not key.is_abandoned(now) and key.vkey not in held:
            yield fail(
                N_("keys"),
                N_("The register names a key of the log that is not in the key folder: {key}. The others sign alone."),
                N_("Put its file back beside {files} and reload; if it is lost or stolen, abandon it: `rotate log`."),
                key=key.vkey,
                files=", ".join(path.name for path in log_key_files(config.keys, own.origin)) or "-",
            )


def _exposed(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield every key file that is not its reader's alone, also of keys that are not in use, and why."""
    for path in secret_files(config.keys):
        try:
            read_secret_file(path, MAX_KEY_FILE_BYTES)
        except Rejected as error:
            yield path, error.detail


def _depended_on(config: Config) -> Iterator[Path]:
    yield config.path
    yield config.bootstrap_root
    yield from (path for path in (config.policy, config.passphrase_file, database_file(config)) if path is not None)
    yield config.data / "register"
    yield config.data / "checkpoint"
    yield config.admin_socket
    yield config.keys
    yield from secret_files(config.keys)


def changeable(path: Path, users: Collection[int]) -> Iterator[tuple[Path, str]]:
    """Yield what of a path others than these users (by number) can change or put in place of another, and how.

    In a folder with the sticky bit, such as /tmp, nobody can replace what belongs to another user.
    """
    for each in (path, *path.parents):
        status = each.lstat()
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_uid not in users:
            yield each, f"uid {status.st_uid}"
        elif status.st_mode & OTHERS_WRITE and not (sticky or stat.S_ISLNK(status.st_mode)):
            yield each, f"{stat.S_IMODE(status.st_mode):04o}"


def node_user(config: Config) -> int:
    """Return the number of the user that the node runs as: the caller, or for root the owner of the data folder."""
    return config.data.stat().st_uid if os.geteuid() == ROOT and config.data.exists() else os.geteuid()
