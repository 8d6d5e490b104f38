"""An invitation is used: a person without a certificate shows its secret and gets certificates for two keys.

1. Attempts are bounded, of one address and in all (`attempts`).
2. The invitation is known, and the secret is the right one. Wrong ones are counted; `MAX_GUESSES` make it void.
3. Both signing requests are signed with their own keys, which differ, and are for the officer who was invited.
4. If it was used, then with these keys, which are answered as the first time; other keys are refused.
5. It is neither void nor over.
6. The issuer certifies the keys. It does so once for an invitation.
7. One commit stores the certificates, asleep, and uses the invitation up (OFFICER_CERTIFIED).
8. The caller is answered.

Other keys and too many guesses are kept with the invitation as an alarm: somebody else may hold it. Without the secret
every refusal is ``invitation_unknown``.

What a crash leaves: before 6 nothing; between 6 and 7 certificates in the issuer's journal, which hands them out again
for the same keys; after 7 what is answered again.
"""

import asyncio
import hmac
from dataclasses import replace
from hashlib import sha256
from typing import Final

import structlog

from paiza.enrolment.v1 import enrolment_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Invitation, InvitationAlarm, InvitationState
from paiza_node.core.access.officers import OfficerDirectory, OfficersChanged
from paiza_node.core.dependencies import Core
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import ReadConnection
from paiza_node.features.enrolment.attempts import Attempts
from paiza_node.features.enrolment.issuing import EnrolmentRequest, Issuer, OfficerCertificates
from paiza_node.features.officers.enrol import certify
from paiza_node.features.officers.model import CertificatePair, keys_sha256
from paiza_wire.errors import Rejected
from paiza_wire.identity import certificates

MAX_GUESSES: Final = 10
"""Wrong secrets of one invitation. Nobody types a secret: one is a damaged file or an attack."""

log = structlog.get_logger("paiza.enrolment")


class Enrol:
    """Uses invitations. Belongs to one event loop."""

    def __init__(self, core: Core, directory: OfficerDirectory, issuer: Issuer, first_root: bytes) -> None:
        """Store who certifies, and the first root of the register, with which new officers begin."""
        self._core = core
        self._directory = directory
        self._issuer = issuer
        self._first_root = first_root
        self._attempts = Attempts()
        self._turn = asyncio.Lock()  # an invitation is used once, also by two callers at one time

    async def enrol(self, request: enrolment_pb2.EnrolRequest, address: str) -> enrolment_pb2.EnrolResponse:
        """Answer a person who uses an invitation; ``address`` is where they call from, without the port.

        Rejected says what is wrong; Unavailable: the same again later.
        """
        # 1.
        self._attempts.take(address)
        async with self._turn:
            # 2.
            invitation = await self._known(request)
            # 3.
            digest = _requested_keys(invitation, request)
            # 4.
            if invitation.state is InvitationState.USED:
                if digest != invitation.keys_sha256:
                    await self._refuse_other_keys(invitation)
            else:
                # 5.
                self._check_open(invitation)
                # 6.
                pair = await self._issued(invitation, request, digest)
                # 7.
                await self._directory.commit(
                    self._core.ledger, lambda tx: certify(tx, pair, actor=self._core.node_id, invitation=invitation)
                )
                log.info("officer_enrolled", officer=invitation.officer)
            # 8.
            return await asyncio.to_thread(self._answer, invitation)

    async def _known(self, request: enrolment_pb2.EnrolRequest) -> Invitation:
        """Return the invitation whose secret the caller knows."""
        invitation = await asyncio.to_thread(self._stored, request.invitation_sha256)
        if invitation is None:
            raise Rejected("invitation_unknown", "there is no such invitation")
        if not hmac.compare_digest(sha256(request.secret).digest(), invitation.secret_sha256):
            if invitation.state is InvitationState.OPEN:
                await self._directory.commit(self._core.ledger, lambda tx: _count_guess(tx, invitation))
            raise Rejected("invitation_unknown", "there is no such invitation")
        return invitation

    def _check_open(self, invitation: Invitation) -> None:
        if invitation.state is InvitationState.VOID:
            raise Rejected("invitation_void", "it was replaced, withdrawn, or guessed at")
        if self._core.clock() >= invitation.expiry_time:
            raise Rejected("invitation_expired", f"it ended at {invitation.expiry_time.isoformat(timespec='minutes')}")

    async def _refuse_other_keys(self, invitation: Invitation) -> None:
        await self._directory.commit(
            self._core.ledger, lambda tx: _put_alarm(tx, invitation, InvitationAlarm.OTHER_KEYS)
        )
        raise Rejected("invitation_used", "it was used with other keys")

    async def _issued(
        self, invitation: Invitation, request: enrolment_pb2.EnrolRequest, digest: bytes
    ) -> CertificatePair:
        """Return the issuer's certificates, which the node verifies as it would any others."""
        asked = EnrolmentRequest(
            log_index=invitation.log_index,
            statement=invitation.statement,
            authentication_request=request.authentication_request,
            signing_request=request.signing_request,
            administrator_signatures=[each for each in (invitation.administrator_signature,) if each],
        )
        try:
            issued = await self._issuer.enrol(asked)
        except Rejected as error:
            if error.reason == "already_issued":  # this node crashed, or was restored, after others had used it
                await self._refuse_other_keys(invitation)
            raise
        pair = self._verified(invitation.officer, issued)
        if pair.keys_sha256(invitation.invitation_sha256) != digest:
            raise Rejected("bad_certificate", "the issuer's certificates are of other keys")
        return pair

    def _verified(self, officer: str, issued: OfficerCertificates) -> CertificatePair:
        verifier, now = self._core.register_cache.current.certificate_verifier(), self._core.clock()
        return CertificatePair(
            verifier.authentication(issued.authentication, expected_id=officer, at=now),
            verifier.signing(issued.signing, expected_id=officer, at=now),
        )

    def _answer(self, invitation: Invitation) -> enrolment_pb2.EnrolResponse:
        with self._core.store.reads() as reads:
            found = _certified_by(reads, invitation)
        response = enrolment_pb2.EnrolResponse(
            authentication_certificate=found.authentication,
            signing_certificate=found.signing,
            first_root=self._first_root,
        )
        response.node_time.FromDatetime(self._core.clock())
        return response

    def _stored(self, invitation_sha256: bytes) -> Invitation | None:
        with self._core.store.reads() as reads:
            return access_store.invitation(reads, invitation_sha256)


def _requested_keys(invitation: Invitation, request: enrolment_pb2.EnrolRequest) -> bytes:
    """Return the digest of the keys in both signing requests."""
    requested = [certificates.read_csr(each) for each in (request.authentication_request, request.signing_request)]
    if any(str(officer) != invitation.officer for officer, _key in requested):
        raise Rejected("bad_certificate", "a signing request is for another officer")
    (_, authentication), (_, signing) = requested
    if authentication == signing:
        raise Rejected("bad_certificate", "both signing requests are for one key")
    return keys_sha256(authentication, signing, invitation.invitation_sha256)


def _certified_by(reads: ReadConnection, invitation: Invitation) -> OfficerCertificates:
    """Return the certificates that a used invitation led to."""
    stored = access_store.officer_certificates(reads, invitation.officer)
    found = {each.use: each.der for each in stored if each.invitation_sha256 == invitation.invitation_sha256}
    return OfficerCertificates(found["authentication"], found["signing"])


def _count_guess(tx: LogTransaction, invitation: Invitation) -> None:
    stored = access_store.invitation(tx.conn, invitation.invitation_sha256)
    if stored is None or stored.state is not InvitationState.OPEN:
        return
    guessed = replace(stored, guesses=stored.guesses + 1)
    if guessed.guesses >= MAX_GUESSES:
        log.error("invitation_guessed", officer=guessed.officer, guesses=guessed.guesses)
        guessed = replace(guessed, state=InvitationState.VOID, alarm=InvitationAlarm.GUESSED)
        tx.announce(OfficersChanged())
    access_store.put_invitation(tx.conn, guessed)


def _put_alarm(tx: LogTransaction, invitation: Invitation, alarm: InvitationAlarm) -> None:
    stored = access_store.invitation(tx.conn, invitation.invitation_sha256)
    if stored is None or stored.alarm == alarm:
        return
    log.error("invitation_used_with_other_keys", officer=stored.officer)
    access_store.put_invitation(tx.conn, replace(stored, alarm=alarm))
    tx.announce(OfficersChanged())
