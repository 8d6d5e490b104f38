"""The worked example and the table of limits in proto/README.md, computed anew."""

import importlib
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from paiza.core.v1 import log_pb2, message_pb2
from paiza_wire import message, receipts
from paiza_wire.errors import Rejected
from paiza_wire.message import key_wrapping, part_cipher, signed_message
from paiza_wire.tlog import checkpoint, merkle
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.cosignatures import (
    MAX_SECONDS,
    TIME_BYTES,
    WitnessKey,
    WitnessSigner,
    cosignatures,
    cosigned_message,
)
from paiza_wire.tlog.notes import NoteSignature, SignerKey, format_note, parse_note

SEED = bytes(range(32))
MESSAGE_ID = bytes.fromhex("018cc251f4007000800000000000002a")


@pytest.fixture(scope="module")
def specification(root: Path) -> str:
    """The text of proto/README.md."""
    return (root / "proto" / "README.md").read_text()


def example() -> tuple[dict[str, str], str]:
    """Compute every value of the worked example, in its order, and the checkpoint's note."""
    header = message_pb2.Header(suite=message_pb2.SUITE_1, message_id=MESSAGE_ID).SerializeToString(deterministic=True)
    digest = message.message_digest(header)
    public = key_wrapping.private_key_from_seed(SEED).public_key
    salt = SEED[:16]
    entry = log_pb2.LogEntry(
        salt=salt,
        event=log_pb2.LOG_EVENT_RECEIVED,
        actor="spiffe://tjk.federation.example/node",
        counterpart="tjk",
        message_digest=digest,
        register_version=SEED,
        received=log_pb2.ReceivedDetail(dispatch_sha256=SEED),
    )
    entry.entry_time.FromDatetime(datetime(2024, 1, 1, tzinfo=UTC))
    entry_bytes = entry.SerializeToString(deterministic=True)
    leaf = merkle.leaf_hash(entry_bytes)
    signer = SignerKey.from_ed25519("kaz.federation.example/log/1", Ed25519PrivateKey.from_private_bytes(SEED))
    one = checkpoint.sign(Checkpoint("kaz.federation.example/log/1", 1, leaf), signer)
    values = {
        "header": header.hex(),
        "message digest": digest.hex(),
        "PAE": message.pre_authentication_encoding(header).hex(),
        "part context": part_cipher.part_context("tjk", MESSAGE_ID, 1).hex(),
        "seed": SEED.hex(),
        "key id": public.key_id.hex(),
        "HPKE info": signed_message._wrap_info(digest, 1, "kaz", public.key_id).hex(),
        "log entry": entry_bytes.hex(),
        "leaf hash": leaf.hex(),
        "two leaves' root": merkle.node_hash(leaf, leaf).hex(),
        "vkey": signer.verifier_key.to_vkey(),
        "text digest": receipts.text_digest(salt, "нет полномочий").hex(),
        "evidence digest": receipts.evidence_digest(entry_bytes, one).hex(),
    }
    return values, one.decode()


def test_the_worked_example_is_what_this_software_computes(specification: str) -> None:
    """Every value of the example in the specification, in its order, comes out of the code."""
    section = specification.partition("\n## Worked example\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^ {4}(\S[^=]*?) = (\S+)$", section, re.MULTILINE)
    assert documented == list(example()[0].items())


def test_the_note_of_the_example_is_what_the_log_signs(specification: str) -> None:
    """The checkpoint stands in the example as the signed text it is."""
    _, note = example()
    assert "\n".join(f"    {line}".rstrip() for line in note.splitlines()) in specification


def test_the_cosignature_of_the_example_holds(specification: str) -> None:
    """Key and message come out of the code; the signature as published verifies, and does not once it is bent."""
    section = specification.partition("\n## Witnesses\n")[2].partition("\n## ")[0]
    published = dict(re.findall(r"^ {4}(\S[^=]*?) = (\S+)$", section, re.MULTILINE))
    (note,) = re.findall(
        r"^(?: {4}kaz\.federation\.example/log/1\n {4}1\n {4}\S+\n\n {4}— .*\n)", section, re.MULTILINE
    )
    signed = re.sub(r"^ {4}", "", note, flags=re.MULTILINE).encode()
    signer = WitnessSigner.from_seed(published["witness name"], bytes.fromhex(published["witness seed"]))
    key = WitnessKey.from_vkey(published["witness vkey"])
    assert key == signer.witness_key
    assert sha256(key.public_key).hexdigest() == published["witness public key's SHA-256"]
    text = parse_note(signed).text
    assert text.decode() in example()[1]
    head = Checkpoint.parse(text)
    seconds = int(published["cosigned at"])
    assert cosigned_message(key.name, seconds, head).hex() == published["cosigned message"]
    (said,) = cosignatures(signed, [key])
    assert said.time == datetime.fromtimestamp(seconds, UTC)
    (line,) = parse_note(signed).signatures
    for at in (0, TIME_BYTES, len(line.signature) - 1):
        bent = bytearray(line.signature)
        bent[at] ^= 1
        with pytest.raises(Rejected):
            cosignatures(format_note(text, [NoteSignature(line.name, line.key_id, bytes(bent))]), [key])
    last = Checkpoint("kaz.federation.example/log/2", 2**40 + 5, sha256(b"big").digest())
    message_at_the_end = cosigned_message("uzb.federation.example/witness/12", MAX_SECONDS, last)
    assert message_at_the_end.hex() == published["cosigned message, long"]


def test_the_limits_are_those_of_the_code(specification: str) -> None:
    """Every limit in the table names a constant and gives its value."""
    table = specification.partition("\n## Limits\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)\.(\w+)` \| ([0-9,]+)", table, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| `", table, re.MULTILINE)) >= 60
    for module, name, digits in rows:
        value = getattr(importlib.import_module(module), name)
        value = int(value / timedelta(seconds=1)) if isinstance(value, timedelta) else value
        assert value == int(digits.replace(",", "")), f"{module}.{name}"


def test_every_limit_of_the_wire_is_in_the_table(specification: str, root: Path) -> None:
    """The specification lists every named limit of messages, receipts, certificates and notes."""
    named = {
        f"{OFFERED_AS.get(module, module)}.{name}"
        for path in (root / "proto" / "paiza_wire").rglob("*.py")
        for module in [".".join(path.relative_to(root / "proto").with_suffix("").parts)]
        for name in re.findall(r"^(MAX_(?:\w+))\s*(?::|=)", path.read_text(), re.MULTILINE)
    }
    assert {name for name in named if f"| `{name}` |" not in specification} == NOT_OF_THE_PROTOCOL


# Modules whose package offers their names as its own.
OFFERED_AS = {
    "paiza_wire.message.header": "paiza_wire.message",
    "paiza_wire.message.signed_message": "paiza_wire.message",
    "paiza_wire.identity.verification": "paiza_wire.identity",
}
# Limits of what stays within one program: files and names that never travel.
NOT_OF_THE_PROTOCOL = {
    "paiza_wire.identity.key_files.MAX_PASSPHRASE_BYTES",
    "paiza_wire.identity.sealing.MAX_KEY_FILE_BYTES",
    "paiza_wire.identity.token_uri.MAX_URI_CHARACTERS",
    "paiza_wire.message.MAX_AUTHOR_TIME",
    "paiza_wire.message.key_wrapping.MAX_PLAINTEXT_BYTES",
    "paiza_wire.message.part_cipher.MAX_AUTHOR_BYTES",
    "paiza_wire.message.part_cipher.MAX_PART_NUMBER",
    "paiza_wire.tlog.checkpoint.MAX_SIZE_DIGITS",
}
