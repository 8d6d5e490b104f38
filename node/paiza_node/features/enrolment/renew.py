"""An officer gets new certificates before the present ones end, for new keys, by a request that the present key signs.

1. The statement is the caller's own; both signing requests in it are for them, and for two keys.
2. Its signer holds a signing certificate of theirs that counts here, and that ends soon.
3. It was answered before: the same certificates again.
4. One commit logs the request (OFFICER_RENEWAL), unless it was; `MAX_REQUESTS` a day.
5. The issuer certifies the keys, once for this entry.
6. One commit stores the certificates, which count at once, beside the former ones until these end (OFFICER_CERTIFIED);
   not if the signer's was replaced since 2.

What a crash leaves: after 4 an entry without certificates, which the same statement uses again; between 5 and 6
certificates in the issuer's journal, which are handed out again; after 6 what is answered again.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from paiza.core.v1 import enrolment_pb2
from paiza.officer.v1 import renewal_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.enrolment import store as enrolment_store
from paiza_node.features.enrolment.issuing import RENEWED_WITHIN, Issuer, OfficerCertificates, RenewalRequest
from paiza_node.features.enrolment.model import Renewal
from paiza_node.features.officers.enrol import certify
from paiza_node.features.officers.model import CertificatePair
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import certificates, statements

MAX_REQUESTS: Final = 5
"""Of one officer in a day: a program that lost its request makes another one."""

BUSY_SECONDS: Final = 3600.0

log = structlog.get_logger("paiza.enrolment")


class Renew:
    """Renews certificates. Belongs to one event loop."""

    def __init__(self, core: Core, directory: OfficerDirectory, issuer: Issuer) -> None:
        """Store who certifies."""
        self._core = core
        self._directory = directory
        self._issuer = issuer
        self._turn = asyncio.Lock()  # a request is answered once, also if it comes twice at one time

    async def renew(self, officer: str, request: renewal_pb2.RenewRequest) -> renewal_pb2.RenewResponse:
        """Answer an officer's request; Rejected says what is wrong, Unavailable: the same again later."""
        # 1.-2.
        renewal_sha256, present = self._check(officer, request)
        async with self._turn:
            # 3.
            renewal = await asyncio.to_thread(self._stored, renewal_sha256)
            if renewal is None:
                # 4.
                committed = await self._core.ledger.commit(lambda tx: self._note(tx, officer, renewal_sha256, present))
                renewal = committed.result
            if not renewal.signing_sha256:
                # 5.
                pair = await self._issued(renewal, request)
                # 6.
                await self._directory.commit(self._core.ledger, lambda tx: self._write(tx, renewal, pair, present))
                log.info("officer_renewed", officer=officer)
            found = await asyncio.to_thread(self._certified, renewal_sha256)
        response = renewal_pb2.RenewResponse(
            authentication_certificate=found.authentication, signing_certificate=found.signing
        )
        response.node_time.FromDatetime(self._core.clock())
        return response

    def _check(self, officer: str, request: renewal_pb2.RenewRequest) -> tuple[bytes, bytes]:
        """Steps 1 and 2; return the digests of the statement and of its signer's certificate."""
        # 1.
        try:
            statement = enrolment_pb2.RenewalStatement.FromString(request.statement)
        except DecodeError as error:
            raise Rejected("malformed", "the statement is no RenewalStatement") from error
        if len(request.statement) > statements.STATEMENT_BYTES or statement.officer_id != officer:
            raise Rejected("malformed", "the statement is too long, or another officer's")
        requests = (statement.authentication_request, statement.signing_request)
        (first, authentication), (second, signing) = (certificates.read_csr(each) for each in requests)
        if {str(first), str(second)} != {officer} or authentication == signing:
            raise Rejected("bad_certificate", "the signing requests are for others, or for one key")
        # 2.
        now = self._core.clock()
        verifier = self._core.register_cache.current.certificate_verifier()
        present = verifier.signing(request.signing_certificate, expected_id=officer, at=now)
        self._directory.check(officer, present.fingerprint, "signing")
        statements.verify_renewal(present.public_key, request.signature, request.statement)
        if present.not_after - now > RENEWED_WITHIN:
            raise Rejected("renewal_early", f"the certificate is valid until {present.not_after.astimezone(UTC):%F}")
        return statements.statement_sha256(request.statement), present.fingerprint

    async def _issued(self, renewal: Renewal, request: renewal_pb2.RenewRequest) -> CertificatePair:
        """Return the issuer's certificates, which the node verifies as it would any others."""
        held = self._directory.certificates()[sha256(request.signing_certificate).digest()]
        asked = RenewalRequest(
            renewal.log_index, request.statement, request.signing_certificate, request.signature, held.confirmed_index
        )
        issued = await self._issuer.renew(asked)
        verifier, now = self._core.register_cache.current.certificate_verifier(), self._core.clock()
        return CertificatePair(
            verifier.authentication(issued.authentication, expected_id=renewal.officer, at=now),
            verifier.signing(issued.signing, expected_id=renewal.officer, at=now),
        )

    def _note(self, tx: LogTransaction, officer: str, renewal_sha256: bytes, present: bytes) -> Renewal:
        self._directory.check(officer, present, "signing")  # again: they may be suspended since step 2
        if enrolment_store.renewals_since(tx.conn, officer, tx.now - timedelta(days=1)) >= MAX_REQUESTS:
            raise Unavailable("busy", f"{MAX_REQUESTS} requests of this officer came today already", BUSY_SECONDS)
        entry = tx.append(log_entries.officer_renewal(actor=officer, request_sha256=renewal_sha256))
        renewal = Renewal(renewal_sha256, officer, tx.now, entry.index)
        enrolment_store.put_renewal(tx.conn, renewal)
        return renewal

    def _write(self, tx: LogTransaction, renewal: Renewal, pair: CertificatePair, present: bytes) -> None:
        certify(tx, pair, actor=self._core.node_id, renewal_sha256=renewal.renewal_sha256, renewed_by=present)
        answered = replace(
            renewal, authentication_sha256=pair.authentication.fingerprint, signing_sha256=pair.signing.fingerprint
        )
        enrolment_store.put_renewal(tx.conn, answered)

    def _stored(self, renewal_sha256: bytes) -> Renewal | None:
        with self._core.store.reads() as reads:
            return enrolment_store.renewal(reads, renewal_sha256)

    def _certified(self, renewal_sha256: bytes) -> OfficerCertificates:
        with self._core.store.reads() as reads:
            renewal = enrolment_store.renewal(reads, renewal_sha256)
            assert renewal is not None, "it was committed"
            stored = access_store.officer_certificates(reads, renewal.officer)
        found = {each.certificate_sha256: each.der for each in stored}
        return OfficerCertificates(found[renewal.authentication_sha256], found[renewal.signing_sha256])
