"""What the issuer checks before it signs. Nothing here reads a file or a clock.

`proven_entry`, for every request:

1. The member is active in the issuer's own copy of the register (``member_suspended``).
2. The note is signed by a key of the member's newest log that it has not abandoned (``bad_checkpoint``).
3. That log has grown from the last note under which something was issued (``consistency_not_proven``).
4. At least one other active member has cosigned the note (``not_witnessed``).
5. The log holds the entry (``bad_proof``).

`enrolment`, `renewal` and `node`, each for its event:

6. The entry is of the event, and commits to what was handed over (``wrong_entry``).
7. The signing requests are each signed with its own key and ask for exactly the id that the statement names, an officer
   of this member; the two keys differ (``bad_certificate``). For a node, the entry commits to the key.
8. Invited: one of the administrators whom the issuer's own configuration names has signed the statement
   (``administrator_missing``), and the invitation is not over (``invitation_expired``).
9. Renewed: the journal holds the signing certificate, it is valid now and not revoked (``certificate_expired``,
   ``certificate_revoked``), it names the same officer, and its key signed the statement (``bad_signature``). It ends
   within `RENEWED_WITHIN` (``renewal_early``). If it was issued for an invitation, the log holds the OFFICER_CONFIRMED
   entry of both certificates under the same note (``officer_unconfirmed``).

That an entry, a statement, or a key, is used once is decided with the journal (`earlier`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from paiza.core.v1 import enrolment_pb2, log_pb2
from paiza.issuer.v1 import issuer_pb2
from paiza_node.features.enrolment.issuing import RENEWED_WITHIN
from paiza_node.features.witness.exchange import cosigners
from paiza_node.ops.issuer.journal import Issued, Journal, Kind, KnownLog
from paiza_register import Register
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import SpiffeId, certificates, keys, statements
from paiza_wire.identity.keys import PublicKey
from paiza_wire.message import parse_strictly
from paiza_wire.receipts import VerifiedEntry, verify_entry
from paiza_wire.tlog import merkle
from paiza_wire.tlog.cosignatures import cosignatures

TLS_KEY: Final = "tls"
"""Kind of the key in a KEY_ANNOUNCED entry that a node certificate may be issued for."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be issued: certificates for these signing requests (DER), which ask for this id."""

    kind: Kind
    id: SpiffeId
    requests: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    statement: bytes


def proven_entry(
    shown: issuer_pb2.WitnessedEntry, register: Register, member_id: str, known: KnownLog | None, now: datetime
) -> VerifiedEntry:
    """Return the entry of a request: steps 1 to 5."""
    # 1.
    member = register.active_member(member_id)
    # 2.
    checkpoint = member.checkpoint(shown.note, member.origin, new_at=now)
    # 3.
    if known is not None and known.origin == checkpoint.origin:
        try:
            merkle.verify_consistency(
                known.size, known.root, checkpoint.size, checkpoint.root, list(shown.consistency_hashes)
            )
        except Rejected as error:
            raise Rejected(
                "consistency_not_proven", f"from {known.size} to {checkpoint.size}: {error.detail}"
            ) from error
    # 4.
    others = [key for keys_of in cosigners(register, member_id, now).values() for key in keys_of]
    if not cosignatures(shown.note, others):
        raise Unavailable("not_witnessed", "the note has no cosignature of another active member")
    # 5.
    return verify_entry(shown.proven, checkpoint)


def enrolment(
    entry: VerifiedEntry,
    shown: issuer_pb2.Enrolment,
    register: Register,
    member: str,
    administrators: Collection[PublicKey],
    now: datetime,
) -> Order:
    """Return what an invitation allows: steps 6 to 8."""
    # 6.
    if entry.entry.event != log_pb2.LOG_EVENT_OFFICER_INVITED:
        raise Rejected("wrong_entry", "the entry is of no invitation")
    _check_commits(entry.entry.officer_invited.invitation_sha256, shown.statement)
    statement = parse_strictly(enrolment_pb2.InvitationStatement, shown.statement, "the invitation")
    # 7.
    requests = (shown.authentication_request, shown.signing_request)
    order = _officers(register, member, statement.officer_id, requests, "enrolment", shown.statement)
    # 8.
    if administrators and not _signed_by_one(administrators, shown.administrator_signatures, shown.statement):
        raise Rejected("administrator_missing", "no administrator of this issuer signed the invitation")
    if now.timestamp() > statement.expiry_time.seconds:
        raise Rejected("invitation_expired", "the statement says so")
    return order


def renewal(
    entry: VerifiedEntry,
    shown: issuer_pb2.Renewal,
    register: Register,
    member: str,
    journal: Journal,
    now: datetime,
) -> Order:
    """Return what an officer's own request allows: steps 6, 7 and 9."""
    # 6.
    if entry.entry.event != log_pb2.LOG_EVENT_OFFICER_RENEWAL:
        raise Rejected("wrong_entry", "the entry is of no request for renewal")
    _check_commits(entry.entry.officer_renewal.request_sha256, shown.statement)
    statement = parse_strictly(enrolment_pb2.RenewalStatement, shown.statement, "the request")
    # 7.
    requests = (statement.authentication_request, statement.signing_request)
    order = _officers(register, member, statement.officer_id, requests, "renewal", shown.statement)
    # 9.
    held = journal.of_certificate(shown.signing_certificate)
    if held is None or held.kind == "node" or held.certificates[-1] != shown.signing_certificate:
        raise Rejected("bad_certificate", "the journal holds no such signing certificate")
    certificate = register.certificate_verifier().signing(
        shown.signing_certificate, expected_id=statement.officer_id, at=now
    )
    statements.verify_renewal(certificate.public_key, shown.signature, shown.statement)
    if certificate.not_after - now > RENEWED_WITHIN:
        raise Rejected("renewal_early", f"the certificate is valid until {certificate.not_after.astimezone(UTC):%F}")
    if held.kind == "enrolment":
        _check_confirmed(entry, shown, held)
    return order


def node(entry: VerifiedEntry, request: bytes, register: Register, member: str) -> Order:
    """Return what the announcement of a key allows: steps 6 and 7."""
    # 6.
    announced = entry.entry.key_announced
    if entry.entry.event != log_pb2.LOG_EVENT_KEY_ANNOUNCED or announced.kind != TLS_KEY:
        raise Rejected("wrong_entry", "the entry announces no key of a node")
    # 7.
    requested, public_key = certificates.read_csr(request)
    expected = SpiffeId(member, register.federation, "node")
    if requested != expected:
        raise Rejected("bad_certificate", "the signing request is for another id")
    if keys.fingerprint(public_key) != announced.key_sha256:
        raise Rejected("wrong_entry", "the entry announces another key")
    return Order("node", expected, (request,), (announced.key_sha256,), b"")


def earlier(journal: Journal, entry: VerifiedEntry, order: Order) -> Issued | None:
    """Return what was issued for the entry before, to the same keys; ``Rejected("already_issued")`` for others.

    A key is certified for one entry, and a statement allows one: logged twice they give nothing more.
    """
    found = journal.of_entry(entry.checkpoint.origin, entry.index)
    if found is not None and found.keys != order.keys:
        raise Rejected("already_issued", f"entry {entry.index} was used for other keys")
    if found is None and any(journal.of_key(key) for key in order.keys):
        raise Rejected("already_issued", "a key was certified for another entry")
    if found is None and order.statement and journal.of_statement(order.statement):
        raise Rejected("already_issued", "the statement was used with another entry")
    return found


def _check_confirmed(entry: VerifiedEntry, shown: issuer_pb2.Renewal, held: Issued) -> None:
    if not shown.HasField("confirmed"):
        raise Rejected("officer_unconfirmed", "the request proves no OFFICER_CONFIRMED entry")
    confirmed = verify_entry(shown.confirmed, entry.checkpoint).entry
    detail = confirmed.officer_confirmed
    named = (detail.authentication_certificate_sha256, detail.signing_certificate_sha256)
    if confirmed.event != log_pb2.LOG_EVENT_OFFICER_CONFIRMED or named != tuple(
        sha256(each).digest() for each in held.certificates
    ):
        raise Rejected("officer_unconfirmed", "the entry does not confirm these certificates")


def _officers(
    register: Register, member: str, officer: str, requests: tuple[bytes, bytes], kind: Kind, statement: bytes
) -> Order:
    expected = SpiffeId.parse(officer)
    if (expected.role, expected.member, expected.federation) != ("officer", member, register.federation):
        raise Rejected("bad_certificate", "the statement names no officer of this member")
    found = [certificates.read_csr(request) for request in requests]
    if any(requested != expected for requested, _key in found):
        raise Rejected("bad_certificate", "a signing request is for another id than the statement")
    fingerprints = tuple(keys.fingerprint(key) for _requested, key in found)
    if len(set(fingerprints)) < len(fingerprints):
        raise Rejected("bad_certificate", "one key is for authentication and for signing")
    return Order(kind, expected, requests, fingerprints, statement)


def _check_commits(held: bytes, statement: bytes) -> None:
    if len(statement) > statements.STATEMENT_BYTES or statements.statement_sha256(statement) != held:
        raise Rejected("wrong_entry", "the entry holds the digest of another statement")


def _signed_by_one(administrators: Collection[PublicKey], signatures: Sequence[bytes], statement: bytes) -> bool:
    return any(_holds(key, signature, statement) for key in administrators for signature in signatures)


def _holds(key: PublicKey, signature: bytes, statement: bytes) -> bool:
    try:
        statements.verify_invitation(key, signature, statement)
    except Rejected:
        return False
    return True
