"""What an administrator signs when they invite a person: the statement that the node made, if it is what was asked."""

from io import StringIO
from pathlib import Path

from google.protobuf.message import DecodeError

from paiza.admin.v1 import officer_pb2
from paiza.core.v1 import enrolment_pb2
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.issuer.keys import ask_pin, open_key
from paiza_node.ops.passphrase import administrator_opener
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId, invitations, statements
from paiza_wire.identity.token_uri import SCHEME, TokenUri
from paiza_wire.identity.tokens import Tokens


def sign(
    client: AdminClient,
    request: officer_pb2.InviteOfficerRequest,
    statement: bytes,
    key: str,
    passphrase_file: Path | None,
) -> None:
    """Sign the statement of an invitation with an administrator's key, a file or a ``pkcs11:`` URI, and hand it over.

    ``Rejected("wrong_entry")`` if the statement is not what was asked for: the node is not believed either.
    """
    _check(request, statement)
    place = TokenUri.parse(key) if key.startswith(SCHEME) else Path(key)
    with Tokens(ask_pin) as tokens:
        signer = open_key(place, administrator_opener(passphrase_file), tokens, sealed=True)
        signature = statements.sign_invitation(signer, statement)
    client.sign_invitation(statements.statement_sha256(statement), signature)


def qr_code(text: str) -> str:
    """Return an invitation as a QR code for a terminal: two modules a character, light ones drawn."""
    import segno  # noqa: PLC0415 - seldom asked for

    code = StringIO()
    # The least correction: a screen is not dirty, and the code stays as small as it can be.
    segno.make_qr(text, error="l").terminal(code, border=2, compact=True)
    return code.getvalue()


def is_of(file: Path, name: str) -> bool:
    """Return whether a file holds an invitation for the officer of this name, used or not."""
    try:
        statement = invitations.from_text(file.read_text("utf-8")).statement
        return SpiffeId.parse(enrolment_pb2.InvitationStatement.FromString(statement).officer_id).name == name
    except (DecodeError, OSError, Rejected, UnicodeDecodeError):
        return False


def _check(request: officer_pb2.InviteOfficerRequest, statement: bytes) -> None:
    try:
        made = enrolment_pb2.InvitationStatement.FromString(statement)
        name = SpiffeId.parse(made.officer_id).name
    except (DecodeError, Rejected) as error:
        raise Rejected("wrong_entry", "the node's statement cannot be read") from error
    asked = (request.name, sorted(set(request.roles)), request.unit)
    if (name, sorted(made.roles), made.unit) != asked:
        raise Rejected("wrong_entry", f"the node's statement is for {name}, {', '.join(made.roles)}, {made.unit}")
