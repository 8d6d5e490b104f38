"""The node's key folder: made sealed by `init`, opened under its passphrase, refused in every other state."""

import json
import shutil
import ssl
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from paiza_node.__main__ import run
from paiza_node.core.errors import NodeStopped
from paiza_node.ops import passphrase
from paiza_node.ops.config import Config, load
from paiza_node.ops.keys import load_keys, make_log_key, make_next_log_key, make_next_witness_key, unsealed_keys
from paiza_register import LogKey, Member, WitnessKey
from paiza_trust import dev
from paiza_wire.identity import SpiffeId, certificates, keys, sealing
from paiza_wire.identity.private_keys import ED25519, P256
from paiza_wire.identity.sealing import Sealer
from paiza_wire.tlog import cosignatures
from paiza_wire.tlog.notes import SignerKey, VerifierKey
from tests.registers import read_register

PASSPHRASE = b"correct horse battery staple"
STRANGE_LOG = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519()).verifier_key.to_vkey()
STRANGE_WITNESS = cosignatures.WitnessSigner.from_private_key(
    "kaz.paiza.example/witness/1", keys.generate_mldsa44()
).witness_key.to_vkey()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation whose register names the member."""
    folder = tmp_path_factory.mktemp("federation") / "run"
    dev.create(folder, ("kaz",))
    return folder


@pytest.fixture(scope="module")
def made(federation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a node folder with `init`."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "phrase").write_bytes(PASSPHRASE + b"\n")
    (folder / "phrase").chmod(0o600)
    init = ["init", "--member", "kaz", "--federation", "paiza.example", "--json", "--folder", str(folder / "kaz")]
    assert run([*init, "--passphrase-file", str(folder / "phrase")]) == 0
    (folder / "kaz/keys/tls.crt").write_text(certified(federation, folder / "kaz/node.csr"))
    return folder


def certified(federation: Path, request: Path) -> str:
    """Return the certificate (PEM) that the member's node CA issues for a signing request."""
    ca = ssl.PEM_cert_to_DER_cert((federation / "trust/kaz/node-ca.crt").read_text())
    ca_key = P256.read(sealing.Sealer(lambda: b"").open((federation / "trust/kaz/node-ca.key").read_bytes()))
    now = datetime.now(UTC)
    csr = certificates.csr_from_pem(request.read_bytes())
    spiffe_id = SpiffeId("kaz", "paiza.example", "node")
    return ssl.DER_cert_to_PEM_cert(
        certificates.issue_node(csr, ca, ca_key, spiffe_id=spiffe_id, not_before=now, not_after=now + timedelta(days=1))
    )


@pytest.fixture
def node(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of the node folder that a test may damage; its path is short, as that of its socket must be."""
    above = tmp_path_factory.mktemp("of")
    shutil.copytree(made, above / "copy")
    yield above / "copy/kaz"
    shutil.rmtree(above)


@pytest.fixture(scope="module")
def own(federation: Path, made: Path) -> Member:
    """Return what a register says of the member that names the keys of the folder."""
    published = json.loads((made / "kaz/member.json").read_bytes())
    log, witness = (published[listed][0]["vkey"] for listed in ("log_keys", "witness_keys"))
    return with_keys(read_register(federation).member("kaz"), [log], [witness])


def with_keys(own: Member, logs: list[str], witnesses: list[str]) -> Member:
    """Return a member whose register names these keys of log and witness."""
    cosigning = [cosignatures.WitnessKey.from_vkey(vkey) for vkey in witnesses]
    return replace(
        own,
        log_keys=tuple(LogKey(vkey.partition("+")[0], vkey, None, VerifierKey.from_vkey(vkey)) for vkey in logs),
        witness_keys=tuple(WitnessKey(key.name, key.to_vkey(), None, key) for key in cosigning),
    )


def config(node: Path, **settings: object) -> Config:
    """Return the node's configuration, with these settings in place of the written ones; None removes one."""
    path = node / "node.toml"
    values = {"passphrase_file": str(node.parent / "phrase"), **settings}
    lines = [line for line in path.read_text().splitlines() if line.split(" ", maxsplit=1)[0] not in values]
    lines += [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
    path.write_text("\n".join(lines))
    return load(path, {})


def refused(settings: Config, own: Member) -> NodeStopped:
    """Return with what the keys are refused."""
    with pytest.raises(NodeStopped) as caught:
        load_keys(settings, own)
    assert caught.value.remedy
    return caught.value


def test_a_new_nodes_keys_are_sealed_under_one_salt(node: Path, own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key that `init` makes is sealed, and all of them open at the cost of one passphrase."""
    runs = []

    def counted(*work: Any) -> Any:
        runs.append(work)
        return Scrypt(*work)

    monkeypatch.setattr(sealing, "Scrypt", counted)
    settings = load(node / "node.toml", {})
    assert unsealed_keys(settings) == []
    assert len(list((node / "keys").glob("*"))) == 9
    found = load_keys(settings, own)
    assert found.tls.private_key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert found.log[-1].verifier_key.name == own.log_keys[-1].origin
    assert len(runs) == 1


def test_a_wrong_passphrase_is_named_with_the_key(node: Path, own: Member) -> None:
    """A wrong passphrase is refused at the first key, with its file."""
    (node.parent / "phrase").write_text("wrong")
    error = refused(config(node), own)
    assert (error.reason, error.where) == ("bad_passphrase", str(node / "keys/tls.key"))


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [("", 0o600, "passphrase_missing"), ("x", 0o640, "key_exposed"), (None, 0, "file_unreadable")],
)
def test_a_bad_passphrase_file_is_named(node: Path, own: Member, text: str | None, mode: int, reason: str) -> None:
    """An empty passphrase file, an open one and a missing one are refused by name."""
    phrase = node.parent / "phrase"
    if text is None:
        phrase.unlink()
    else:
        phrase.write_text(text)
        phrase.chmod(mode)
    error = refused(config(node), own)
    assert (error.reason, error.where) == (reason, str(phrase))


def test_the_service_managers_credential_opens(node: Path, own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credential of the service is used if there is no passphrase file."""
    settings = config(node, passphrase_file=None)
    (node / passphrase.CREDENTIAL).write_bytes(PASSPHRASE)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(node))
    assert load_keys(settings, own).index


def test_the_terminal_is_asked_once(node: Path, own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without file and credential a terminal asks for the passphrase, once; otherwise it is missing."""
    settings = config(node, passphrase_file=None)
    passphrase._asked.cache_clear()
    assert refused(settings, own).reason == "passphrase_missing"
    asked = []

    def prompt(text: str, **_how: object) -> str:
        asked.append(text)
        return PASSPHRASE.decode()

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(click, "prompt", prompt)
    assert load_keys(settings, own).index == load_keys(settings, own).index
    assert len(asked) == 1
    passphrase._asked.cache_clear()


def test_an_unsealed_key_is_refused_or_named(node: Path, own: Member) -> None:
    """An unsealed key stops the node, unless the configuration says so in words; then it is listed."""
    path = node / "keys/log.key"
    sealer = Sealer(lambda: PASSPHRASE)
    path.write_bytes(sealing.unsealed(sealer.open(path.read_bytes())))
    error = refused(config(node), own)
    assert (error.reason, error.where) == ("key_unsealed", str(path))
    settings = config(node, sealed=False)
    assert load_keys(settings, own).index
    assert unsealed_keys(settings) == ["log.key"]


@pytest.mark.parametrize("name", ["tls.key", "log.key", "witness.key", "encryption.seed", "index.key"])
def test_a_damaged_key_is_named(node: Path, own: Member, name: str) -> None:
    """Each key that is open to others, missing a part, or a link is refused with its file."""
    path, settings = node / "keys" / name, config(node)
    path.chmod(0o604)
    assert (refused(settings, own).reason, refused(settings, own).where) == ("key_exposed", str(path))
    path.chmod(0o600)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert (refused(settings, own).reason, refused(settings, own).where) == ("bad_key", str(path))
    path.with_suffix(".kept").write_bytes(whole)
    path.unlink()
    path.symlink_to(path.with_suffix(".kept"))
    assert (refused(settings, own).reason, refused(settings, own).where) == ("bad_key", str(path))


def test_later_keys_are_sealed_too(node: Path, own: Member) -> None:
    """The key of the next log and a new index key are sealed, in a node whose keys are."""
    settings = config(node)
    origin = own.log_keys[-1].origin.replace("/log/1", "/log/2")
    made, read = make_log_key(settings, origin), make_log_key(settings, origin)
    assert made.verifier_key.to_vkey() == read.verifier_key.to_vkey()
    (node / "keys/index.key").unlink()
    assert load_keys(settings, own).index
    assert unsealed_keys(settings) == []
    ED25519.read(Sealer(lambda: PASSPHRASE).open((node / "keys/log-2.key").read_bytes()))


def test_keys_that_follow_lie_beside_the_first(node: Path, own: Member) -> None:
    """Each is made once until the register names it; from then on log and witness are opened under it."""
    settings, (first,), (witness,) = config(node), own.log_keys, own.witness_keys
    following, cosigning = make_next_log_key(settings, own), make_next_witness_key(settings, own)
    vkeys = following.verifier_key.to_vkey(), cosigning.witness_key.to_vkey()
    again = make_next_log_key(settings, own), make_next_witness_key(settings, own)
    assert (again[0].verifier_key.to_vkey(), again[1].witness_key.to_vkey()) == vkeys
    assert (following.verifier_key.name, cosigning.witness_key.name) == (first.origin, "kaz.paiza.example/witness/2")
    assert unsealed_keys(settings) == []
    assert [each.verifier_key.to_vkey() for each in load_keys(settings, own).log] == [first.vkey]
    later = with_keys(own, [first.vkey, vkeys[0]], [witness.vkey, vkeys[1]])
    found = load_keys(settings, later)
    assert [each.verifier_key.to_vkey() for each in found.log] == [first.vkey, vkeys[0]]
    assert found.witness.witness_key.to_vkey() == vkeys[1]
    third = make_next_log_key(settings, later)
    assert third.verifier_key.to_vkey() not in (first.vkey, vkeys[0])
    (node / "keys/log.key").unlink()
    assert [each.verifier_key.to_vkey() for each in load_keys(settings, later).log] == [vkeys[0]]
    (node / f"keys/log-1-{following.verifier_key.key_id.hex()}.key").unlink()
    assert refused(settings, later).reason == "bad_key"


def test_the_register_names_the_keys_of_the_folder(node: Path, own: Member) -> None:
    """A node whose log or witness has another key than the register says does not start: nobody could verify it."""
    settings = config(node)
    (log,), (witness,) = own.log_keys, own.witness_keys
    for logs, witnesses, file in (
        ([STRANGE_LOG], [witness.vkey], "log.key"),
        ([log.vkey], [STRANGE_WITNESS], "witness.key"),
    ):
        error = refused(settings, with_keys(own, logs, witnesses))
        assert (error.reason, error.where) == ("bad_key", str(settings.keys / file))


def test_the_passphrase_is_changed(node: Path, own: Member, capsys: pytest.CaptureFixture[str]) -> None:
    """A node opens the same keys under the new passphrase, and the file that holds the former one is named."""
    settings = config(node)
    before = load_keys(settings, own)
    (node / "new").write_bytes(b"another horse, another battery\n")
    (node / "new").chmod(0o600)
    change = ["passphrase", "--config", str(node / "node.toml"), "--new-passphrase-file", str(node / "new"), "--json"]
    for changed in (8, 0):  # the second run, after a crash or not, has nothing left to do
        capsys.readouterr()
        assert run(change) == 0
        told = json.loads(capsys.readouterr().out)
        assert told == {
            "folder": str(settings.keys),
            "changed": changed,
            "outdated_passphrase_file": str(settings.passphrase_file),
        }
    assert refused(settings, own).reason == "bad_passphrase"
    (node / "new").replace(node.parent / "phrase")
    after = load_keys(settings, own)
    assert (after.tls.private_key, after.index, after.decryption.keys()) == (
        before.tls.private_key,
        before.index,
        before.decryption.keys(),
    )
    (node / "new").write_bytes(b"third")
    (node / "new").chmod(0o600)
    assert run([*change, "--old-passphrase-file", str(node / "new")]) == 3
    error = json.loads(capsys.readouterr().err)
    assert (error["reason"], error["where"]) == ("bad_passphrase", str(settings.keys / "encryption.seed"))
