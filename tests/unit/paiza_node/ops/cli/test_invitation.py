"""An administrator signs an invitation: what they asked for, whatever the node answers."""

from pathlib import Path
from typing import Any, cast

import pytest

from paiza.admin.v1 import officer_pb2
from paiza.core.v1 import enrolment_pb2
from paiza_node.ops.cli import invitation
from paiza_wire.errors import Rejected
from paiza_wire.identity import key_files, keys, statements
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer

ASKED = officer_pb2.InviteOfficerRequest(name="petrov", roles=["liaison", "duty"], unit="border-service")


class Client:
    """A node that keeps what it is handed."""

    def __init__(self) -> None:
        self.handed: list[tuple[bytes, bytes]] = []

    def sign_invitation(self, invitation_sha256: bytes, signature: bytes) -> None:
        """Keep it."""
        self.handed.append((invitation_sha256, signature))


def statement(**changes: Any) -> bytes:
    """Return the statement that a node makes, with some fields changed."""
    values = {
        "officer_id": "spiffe://kaz.paiza.example/officer/petrov",
        "roles": ["duty", "liaison"],
        "unit": "border-service",
        **changes,
    }
    return enrolment_pb2.InvitationStatement(**values).SerializeToString()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Any]:
    """An administrator's sealed key, the file of its passphrase, and its public key."""
    key, passphrase = keys.generate_p256(), tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    key_files.write_key(tmp_path / "a.key", P256, key, Sealer(lambda: b"correct horse battery staple"))
    return tmp_path / "a.key", passphrase, key.public_key()


def test_what_was_asked_for_is_signed(files: tuple[Path, Path, Any]) -> None:
    """The signature is over the statement's bytes, and handed over under their digest."""
    client, made = Client(), statement()
    invitation.sign(cast("Any", client), ASKED, made, str(files[0]), files[1])
    ((digest, signature),) = client.handed
    assert digest == statements.statement_sha256(made)
    statements.verify_invitation(files[2], signature, made)


@pytest.mark.parametrize(
    "changes",
    [
        {"officer_id": "spiffe://kaz.paiza.example/officer/sidorov"},
        {"officer_id": "petrov"},
        {"roles": ["duty", "liaison", "authoriser"]},
        {"roles": ["duty"]},
        {"unit": "customs"},
    ],
)
def test_a_statement_for_something_else_is_not_signed(files: tuple[Path, Path, Any], changes: dict[str, Any]) -> None:
    """A node in other hands cannot have another person, or more roles, signed."""
    client = Client()
    with pytest.raises(Rejected, match="wrong_entry"):
        invitation.sign(cast("Any", client), ASKED, statement(**changes), str(files[0]), files[1])
    with pytest.raises(Rejected, match="wrong_entry"):
        invitation.sign(cast("Any", client), ASKED, b"\xff", str(files[0]), files[1])
    assert client.handed == []


def test_an_invitation_fits_a_code() -> None:
    """The longest invitation is a code that a large terminal shows."""
    text = "paiza-invitation:" + "A" * 2000
    lines = invitation.qr_code(text).splitlines()
    assert len(lines) < 90
    assert invitation.qr_code(text) != invitation.qr_code(text + "A")
