"""Requests about the officers of the own member, on the operator's own socket."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Final

import structlog

from paiza.admin.v1 import officer_pb2
from paiza.core.v1 import enrolment_pb2
from paiza.enrolment.v1 import enrolment_pb2 as invitation_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.ends import within_ca
from paiza_node.core.access.held import held
from paiza_node.core.access.model import (
    CertificateState,
    Invitation,
    Officer,
    OfficerCertificate,
    OfficerState,
    Viewer,
)
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.access.operator import operator
from paiza_node.core.api import paging
from paiza_node.core.api.services import Service
from paiza_node.core.dependencies import Core
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.enrolment import recover
from paiza_node.features.enrolment.issuing import Issuer
from paiza_node.features.officers import admit, change, enrol
from paiza_node.features.officers.certificates import sleeping, waiting_keys_sha256
from paiza_node.features.officers.confirm_held import confirm_held
from paiza_node.features.officers.model import (
    DEFAULT_LIFE,
    LONGEST_LIFE,
    checked_roles,
    checked_unit,
    stated,
)
from paiza_node.features.officers.revoke import Revocations
from paiza_node.features.tasks import store as tasks_store
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId
from paiza_wire.identity.invitations import envelope_sha256, to_text
from paiza_wire.identity.keys import MAX_SIGNATURE_BYTES

SECRET_BYTES: Final = 16
SALT_BYTES: Final = 16
MAX_LEFT_TASKS: Final = 100  # shown of a removed officer

InvitationEnvelope = Callable[[str], invitation_pb2.Invitation]
"""Returns the invitation for an officer (SPIFFE ID) without secret and statement."""

_STATES: Final[Mapping[OfficerState, officer_pb2.OfficerState.ValueType]] = {
    OfficerState.UNCONFIRMED: officer_pb2.OFFICER_STATE_UNCONFIRMED,
    OfficerState.ACTIVE: officer_pb2.OFFICER_STATE_ACTIVE,
    OfficerState.SUSPENDED: officer_pb2.OFFICER_STATE_SUSPENDED,
    OfficerState.REMOVED: officer_pb2.OFFICER_STATE_REMOVED,
}
_CERTIFICATE_STATES: Final[Mapping[CertificateState, officer_pb2.OfficerCertificateState.ValueType]] = {
    CertificateState.ASLEEP: officer_pb2.OFFICER_CERTIFICATE_STATE_ASLEEP,
    CertificateState.ACTIVE: officer_pb2.OFFICER_CERTIFICATE_STATE_ACTIVE,
    CertificateState.ENDED: officer_pb2.OFFICER_CERTIFICATE_STATE_ENDED,
}
_USES: Final[Mapping[str, officer_pb2.OfficerCertificateUse.ValueType]] = {
    "authentication": officer_pb2.OFFICER_CERTIFICATE_USE_AUTHENTICATION,
    "signing": officer_pb2.OFFICER_CERTIFICATE_USE_SIGNING,
}

log = structlog.get_logger("paiza.officers")


class OfficerAdminService(Service):
    """Invites, confirms, admits, lists, changes, suspends and removes officers."""

    service = officer_pb2.DESCRIPTOR.services_by_name["OfficerAdminService"]

    def __init__(
        self,
        core: Core,
        directory: OfficerDirectory,
        revocations: Revocations,
        *,
        federation: str,
        duty_unit: str,
        envelope: InvitationEnvelope | None = None,
        issuer: Issuer | None = None,
    ) -> None:
        """Store the collaborators; without ``envelope`` nobody can be invited, without an issuer recovered."""
        self._issuer = issuer
        self._core = core
        self._directory = directory
        self._revocations = revocations
        self._federation = federation
        self._duty_unit = duty_unit
        self._envelope = envelope

    async def invite_officer(self, request: officer_pb2.InviteOfficerRequest) -> officer_pb2.InviteOfficerResponse:
        if self._envelope is None:
            raise Rejected("issuer_missing", "issuer_socket is not set in node.toml")
        if self._issuer is not None and await self._issuer.requires_administrator() and not request.administrator_signs:
            raise Rejected("administrator_missing", "the issuer needs an administrator's signature")
        life = request.life.ToTimedelta() if request.HasField("life") else DEFAULT_LIFE
        if not timedelta(0) < life <= LONGEST_LIFE:
            raise Rejected("malformed", f"an invitation is good for at most {LONGEST_LIFE.days} days")
        secret, officer_id = secrets.token_bytes(SECRET_BYTES), self._id(request.name)
        handed = self._envelope(officer_id)
        statement = enrolment_pb2.InvitationStatement(
            officer_id=officer_id,
            roles=sorted(checked_roles(frozenset(request.roles))),
            unit=checked_unit(request.unit, self._duty_unit),
            secret_sha256=sha256(secret).digest(),
            salt=secrets.token_bytes(SALT_BYTES),
            envelope_sha256=envelope_sha256(handed),
        )
        statement.expiry_time.FromDatetime(self._core.clock() + life)
        invitation: Invitation = (
            await self._directory.commit(self._core.ledger, lambda tx: enrol.invite(tx, statement, actor=operator()))
        ).result
        log.warning("officer_invited", officer=invitation.officer, by=operator())
        handed.secret, handed.statement = secret, invitation.statement
        return officer_pb2.InviteOfficerResponse(
            invitation=to_text(handed),
            officer=await self._record(invitation.officer),
            statement=invitation.statement,
        )

    async def sign_invitation(self, request: officer_pb2.SignInvitationRequest) -> officer_pb2.SignInvitationResponse:
        if not 0 < len(request.signature) <= MAX_SIGNATURE_BYTES:
            raise Rejected("bad_signature", "the signature is missing or too long")
        await self._core.ledger.commit(
            lambda tx: enrol.sign_invitation(tx, request.invitation_sha256, request.signature)
        )
        return officer_pb2.SignInvitationResponse()

    async def confirm_officer(self, request: officer_pb2.ConfirmOfficerRequest) -> officer_pb2.ConfirmOfficerResponse:
        officer_id = self._id(request.officer)
        await self._directory.commit(
            self._core.ledger, lambda tx: enrol.confirm(tx, officer_id, request.enrolment_sha256, actor=operator())
        )
        log.warning("officer_confirmed", officer=officer_id, by=operator())
        return officer_pb2.ConfirmOfficerResponse(officer=await self._record(officer_id))

    async def admit_officers(self, request: officer_pb2.AdmitOfficersRequest) -> officer_pb2.AdmitOfficersResponse:
        register = self._core.register_cache.last  # also with an expired one the operator may
        checked = await asyncio.to_thread(
            admit.check,
            request.officers,
            verifier=register.certificate_verifier(),
            member=self._core.member,
            duty_unit=self._duty_unit,
            now=self._core.clock(),
        )
        done = await self._directory.commit(self._core.ledger, lambda tx: admit.admit(tx, checked, actor=operator()))
        ids = [each.id for each in checked]
        log.warning("officers_admitted", officers=ids, unchanged=done.result, by=operator())
        return officer_pb2.AdmitOfficersResponse(
            officers=[await self._record(each) for each in ids], unchanged=done.result
        )

    async def list_officers(self, request: officer_pb2.ListOfficersRequest) -> officer_pb2.ListOfficersResponse:
        invitations, on_hold = await asyncio.to_thread(self._stored)
        ids = sorted(self._directory.officers().keys() | invitations.keys())
        page, more = paging.page_of(ids, str, request)
        return officer_pb2.ListOfficersResponse(
            officers=[self._shown(each, invitations.get(each), on_hold) for each in page], next_page_token=more
        )

    async def suspend_officer(self, request: officer_pb2.SuspendOfficerRequest) -> officer_pb2.SuspendOfficerResponse:
        officer_id, text = self._id(request.officer), stated(request.reason_text)
        await self._directory.commit(
            self._core.ledger,
            lambda tx: change.suspend(tx, officer_id, text, stolen=request.stolen, actor=operator()),
            bar=officer_id,
        )
        log.warning("officer_suspended", officer=officer_id, stolen=request.stolen, by=operator())
        return officer_pb2.SuspendOfficerResponse(officer=await self._record(officer_id))

    async def reinstate_officer(
        self, request: officer_pb2.ReinstateOfficerRequest
    ) -> officer_pb2.ReinstateOfficerResponse:
        officer_id, text = self._id(request.officer), stated(request.reason_text)
        await self._directory.commit(
            self._core.ledger, lambda tx: change.reinstate(tx, officer_id, text, actor=operator())
        )
        log.warning("officer_reinstated", officer=officer_id, by=operator())
        return officer_pb2.ReinstateOfficerResponse(officer=await self._record(officer_id))

    async def change_officer(self, request: officer_pb2.ChangeOfficerRequest) -> officer_pb2.ChangeOfficerResponse:
        officer_id = self._id(request.officer)
        roles = checked_roles(frozenset(request.roles)) if request.roles else frozenset[str]()
        unit = checked_unit(request.unit, self._duty_unit) if request.HasField("unit") else None
        await self._directory.commit(
            self._core.ledger,
            lambda tx: change.change(tx, officer_id, roles=roles, unit=unit, actor=operator()),
        )
        log.warning("officer_changed", officer=officer_id, by=operator())
        return officer_pb2.ChangeOfficerResponse(officer=await self._record(officer_id))

    async def remove_officer(self, request: officer_pb2.RemoveOfficerRequest) -> officer_pb2.RemoveOfficerResponse:
        officer_id, text = self._id(request.officer), stated(request.reason_text)
        await self._directory.commit(
            self._core.ledger, lambda tx: change.remove(tx, officer_id, text, actor=operator()), bar=officer_id
        )
        log.warning("officer_removed", officer=officer_id, by=operator())
        response = await asyncio.to_thread(self._left_work, officer_id)
        response.officer.CopyFrom(await self._record(officer_id))
        return response

    def _left_work(self, officer_id: str) -> officer_pb2.RemoveOfficerResponse:
        """Return what an officer leaves undone: their tasks, and messages that wait for signatures."""
        with self._core.store.reads() as reads:
            tasks = tasks_store.open_tasks(reads, (), Viewer(officer_id, None), MAX_LEFT_TASKS)
            waiting = approvals_store.waiting_approvals(reads)
        return officer_pb2.RemoveOfficerResponse(
            open_task_digests=[each.digest for each in tasks],
            waiting_message_digests=[each.digest for each in waiting if each.drafter == officer_id],
            wanted_signature_digests=[each.digest for each in waiting if officer_id in each.missing],
        )

    async def recover_officers(
        self, _request: officer_pb2.RecoverOfficersRequest
    ) -> officer_pb2.RecoverOfficersResponse:
        if self._issuer is None:
            raise Rejected("issuer_missing", "issuer_socket is not set in node.toml")
        issued = await self._issuer.issued()
        verifier = self._core.register_cache.last.certificate_verifier()
        found = await asyncio.to_thread(recover.check, issued, verifier, self._core.clock())
        done = (
            await self._directory.commit(self._core.ledger, lambda tx: recover.recover(tx, found, actor=operator()))
        ).result
        log.warning("officers_recovered", officers=done.officers, voided=done.voided, by=operator())
        return officer_pb2.RecoverOfficersResponse(
            officers=[await self._record(each) for each in done.officers], voided_invitations=done.voided
        )

    async def confirm_held_officers(
        self, request: officer_pb2.ConfirmHeldOfficersRequest
    ) -> officer_pb2.ConfirmHeldOfficersResponse:
        verifier, now = self._core.register_cache.last.certificate_verifier(), self._core.clock()
        listed = frozenset(request.officers)
        done = (
            await self._directory.commit(
                self._core.ledger, lambda tx: confirm_held(tx, listed, verifier, now, actor=operator())
            )
        ).result
        log.warning("held_officers_confirmed", officers=done.confirmed, refused=done.refused, by=operator())
        return officer_pb2.ConfirmHeldOfficersResponse(
            officers=[await self._record(each) for each in done.confirmed],
            refused=[officer_pb2.RefusedOfficer(id=id_, reason=reason) for id_, reason in done.refused.items()],
        )

    def _id(self, named: str) -> str:
        """Return the id of an officer of the own member from their name or id."""
        if not named.startswith("spiffe://"):
            return str(SpiffeId(self._core.member, self._federation, "officer", named))
        officer = SpiffeId.parse(named)
        if (officer.member, officer.federation, officer.role) != (self._core.member, self._federation, "officer"):
            raise Rejected("wrong_member", f"{named} is no officer of {self._core.member}")
        return named

    def _stored(self) -> tuple[dict[str, Invitation], frozenset[str]]:
        """Return the open invitations by officer, and the officers on hold."""
        with self._core.store.reads() as reads:
            return {each.officer: each for each in access_store.open_invitations(reads)}, held(reads)

    async def _record(self, officer_id: str) -> officer_pb2.OfficerRecord:
        invitations, on_hold = await asyncio.to_thread(self._stored)
        return self._shown(officer_id, invitations.get(officer_id), on_hold)

    def _shown(
        self, officer_id: str, invitation: Invitation | None, on_hold: Collection[str]
    ) -> officer_pb2.OfficerRecord:
        """Return an officer in the form sent to the operator; one who is only invited is as the invitation states."""
        officer = self._directory.officers().get(officer_id)
        held = [each for each in self._directory.certificates().values() if each.officer == officer_id]
        record = officer_pb2.OfficerRecord(id=officer_id, on_hold=officer_id in on_hold)
        if officer is not None:
            _describe(record, officer)
        elif invitation is not None:
            statement = enrolment_pb2.InvitationStatement.FromString(invitation.statement)
            record.state = officer_pb2.OFFICER_STATE_INVITED
            record.roles.extend(statement.roles)
            record.unit = statement.unit
        else:
            record.state = officer_pb2.OFFICER_STATE_REMOVED  # an invitation that was withdrawn
        record.certificates.extend(self._certificates(held))
        if asleep := sleeping(held):
            record.enrolment_sha256 = waiting_keys_sha256(asleep)
        if invitation is not None:
            record.invitation_expiry_time.FromDatetime(invitation.expiry_time)
        return record

    def _certificates(self, held: Sequence[OfficerCertificate]) -> list[officer_pb2.OfficerCertificateRecord]:
        """Return the certificates that count or wait, and those that wait to be revoked, newest first."""
        waits = {each.certificate_sha256 for each in held if self._revocations.waits(each)}
        shown = [each for each in held if each.state is not CertificateState.ENDED or each.certificate_sha256 in waits]
        found = []
        real = within_ca(shown, self._core.register_cache.last)
        for each in sorted(real, key=lambda each: (-each.log_index, each.use)):
            record = officer_pb2.OfficerCertificateRecord(
                certificate_sha256=each.certificate_sha256,
                use=_USES[each.use],
                state=_CERTIFICATE_STATES[each.state],
                revocation_waits=each.certificate_sha256 in waits,
            )
            record.not_before_time.FromDatetime(each.not_before)
            record.not_after_time.FromDatetime(each.not_after)
            found.append(record)
        return found


def _describe(record: officer_pb2.OfficerRecord, officer: Officer) -> None:
    record.roles.extend(sorted(officer.roles))
    record.unit = officer.unit
    record.state = _STATES[officer.state]
