"""Verification of the signatures of stored messages: each is valid, by a certificate that a log names."""

from contextlib import suppress
from hashlib import sha256
from typing import Any

from google.protobuf.message import DecodeError

from paiza.core.v1 import log_pb2, message_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Part, Tally
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.identity.certificate_profiles import load_certificate, p256_key


class Signatures:
    """Verifies the signatures of all messages, one message after the other."""

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._released, self._sent = Tally(), Tally()
        self._signed_with: set[tuple[str, bytes]] = set()  # (author, SHA-256 of a certificate) of received messages
        self._keys: dict[bytes, keys.PublicKey] = {}  # by SHA-256 of the certificate: officers have hundreds

    def read_release(self, entry: log_pb2.LogEntry) -> None:
        """Note the signers that a RELEASED entry names."""
        named = (b"%s %s" % (each.id.encode(), each.certificate_sha256) for each in entry.released.signers)
        self._released.add(entry.message_digest, *sorted(named))

    def check(self, part: Part, row: Any, body: bytes) -> None:
        """Check a message, given its row and the serialized SignedMessage, or what an erasure left of it.

        1. Each signature is one over the header, by the key of its certificate.
        2. Signers and certificates of a message of ours are those that its release names.
        """
        with suppress(DecodeError):  # which its digests show
            signed = message_pb2.SignedMessage.FromString(body)
            # 1.
            payload = wire.pre_authentication_encoding(row.header)
            made = []
            for each in signed.signatures:
                digest = sha256(each.certificate).digest()
                made.append(b"%s %s" % (each.signer_id.encode(), digest))
                try:
                    keys.verify(self._key(digest, each.certificate), each.signature, payload)
                except Rejected:
                    part.find(
                        "bad_signature",
                        N_("A signature of the message is not valid."),
                        N_("message {digest}"),
                        digest=row.digest.hex(),
                    )
                if row.received:
                    self._signed_with.add((row.author, digest))
            # 2.
            if not row.received:
                recipients = len(message_pb2.Header.FromString(row.header).recipients)
                self._sent.add(row.digest, *sorted(made), times=recipients)

    def finish(self, part: Part) -> None:
        """Check what concerns all messages.

        1. The releases name exactly the signers of the messages of ours.
        2. A stored entry proves the certificate of every signer of another member to be in that member's log.
        3. The fronts of signatures, which bodies share, are those that were stored.
        """
        # 1.
        part.compare("RELEASED / message_body, erased", self._released, self._sent)
        # 2.
        known = exchange_store.proven_signers(self._scan)
        for author, digest in sorted(self._signed_with - known):
            part.find(
                "proof_missing",
                N_("No stored entry proves the certificate of a signer."),
                N_("certificate {digest} of {member}"),
                member=author,
                digest=digest.hex(),
            )
        # 3.
        for rows in scanning.rows(self._scan, messages_store.signature_front_table):
            for row in rows:
                if sha256(row.front).digest() != row.digest:
                    part.find(
                        "part_altered",
                        N_("The front of the signature does not have its digest."),
                        "signature_front {id}",
                        id=row.id,
                    )

    def _key(self, digest: bytes, certificate: bytes) -> keys.PublicKey:
        if digest not in self._keys:
            self._keys[digest] = p256_key(load_certificate(certificate))
        return self._keys[digest]
