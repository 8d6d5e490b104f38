"""The client of the admin socket: used by `paiza-node status`, `queue`, `peers` and `officer`."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc

from paiza.admin.v1 import admin_pb2, admin_pb2_grpc, officer_pb2, officer_pb2_grpc, rotation_pb2, rotation_pb2_grpc
from paiza_node.core.api.paging import MAX_PAGE
from paiza_node.core.api.status_codes import REASON_KEY
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.reasons import REASONS

SECONDS: Final = 30.0  # of one call; a change waits for the commit before it

_PASSING: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)


class AdminClient:
    """Calls the node on its admin socket; Unavailable("node_unreachable") if it does not answer."""

    def __init__(self, socket: Path) -> None:
        """Store the socket's path; it connects with the first call."""
        self._socket = socket
        self._channel = grpc.insecure_channel(f"unix:{socket}")
        self._stub = admin_pb2_grpc.AdminServiceStub(self._channel)
        self._rotation = rotation_pb2_grpc.RotationServiceStub(self._channel)
        self._officers = officer_pb2_grpc.OfficerAdminServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def status(self) -> admin_pb2.GetStatusResponse:
        """Return the node's status."""
        response: admin_pb2.GetStatusResponse = self._call(self._stub.GetStatus, admin_pb2.GetStatusRequest())
        return response

    def queue(self, recipient: str, limit: int) -> list[admin_pb2.QueuedDelivery]:
        """Return waiting and failed deliveries."""
        request = admin_pb2.ListQueueRequest(recipient=recipient, page_size=limit)
        response: admin_pb2.ListQueueResponse = self._call(self._stub.ListQueue, request)
        return list(response.deliveries)

    def queued_attachments(self, member: str, limit: int) -> list[admin_pb2.QueuedAttachment]:
        """Return pending and failed attachments."""
        request = admin_pb2.ListQueuedAttachmentsRequest(member=member, page_size=limit)
        response: admin_pb2.ListQueuedAttachmentsResponse = self._call(self._stub.ListQueuedAttachments, request)
        return list(response.attachments)

    def retry(self, delivery_id: int) -> None:
        """Try a delivery again now."""
        self._call(self._stub.RetryDelivery, admin_pb2.RetryDeliveryRequest(delivery_id=delivery_id))

    def drop(self, delivery_id: int, reason: str) -> None:
        """Drop a delivery."""
        self._call(self._stub.DropDelivery, admin_pb2.DropDeliveryRequest(delivery_id=delivery_id, reason_text=reason))

    def block(self, member: str, reason: str) -> admin_pb2.PeerBlock:
        """Block a member."""
        request = admin_pb2.BlockPeerRequest(member=member, reason_text=reason)
        response: admin_pb2.BlockPeerResponse = self._call(self._stub.BlockPeer, request)
        return response.block

    def unblock(self, member: str, reason: str) -> None:
        """End the block of a member."""
        self._call(self._stub.UnblockPeer, admin_pb2.UnblockPeerRequest(member=member, reason_text=reason))

    def refresh_register(self) -> admin_pb2.RefreshRegisterResponse:
        """Ask all other members for a newer register."""
        request = admin_pb2.RefreshRegisterRequest()
        response: admin_pb2.RefreshRegisterResponse = self._call(self._stub.RefreshRegister, request)
        return response

    def publication(self) -> admin_pb2.GetPublicationResponse:
        """Return what the node knows of the register's publication."""
        request = admin_pb2.GetPublicationRequest()
        response: admin_pb2.GetPublicationResponse = self._call(self._stub.GetPublication, request)
        return response

    def revoke_certificate(self, certificate: bytes) -> bytes:
        """Revoke a certificate (DER); return the register version with it, empty if it was revoked before."""
        request = admin_pb2.RevokeCertificateRequest(certificate=certificate)
        response: admin_pb2.RevokeCertificateResponse = self._call(self._stub.RevokeCertificate, request)
        return response.register_version

    def reload(self) -> rotation_pb2.ReloadResponse:
        """Let the node read its configuration and key folder again; return what changed, or why nothing did."""
        response: rotation_pb2.ReloadResponse = self._call(self._rotation.Reload, rotation_pb2.ReloadRequest())
        return response

    def announce_key(self, kind: str, key_sha256: bytes) -> int:
        """Log a new key; return the index of its entry."""
        request = rotation_pb2.AnnounceKeyRequest(kind=kind, key_sha256=key_sha256)
        response: rotation_pb2.AnnounceKeyResponse = self._call(self._rotation.AnnounceKey, request)
        return response.index

    def certify_key(self, request: bytes) -> bytes:
        """Have the node's next TLS key certified by the member's issuer; return the certificate (DER)."""
        asked = rotation_pb2.CertifyKeyRequest(request=request)
        response: rotation_pb2.CertifyKeyResponse = self._call(self._rotation.CertifyKey, asked)
        return response.certificate

    def node_certificates(self) -> list[bytes]:
        """Return the node certificates (DER) that the member's issuer issued, oldest first."""
        request = rotation_pb2.GetNodeCertificatesRequest()
        response: rotation_pb2.GetNodeCertificatesResponse = self._call(self._rotation.GetNodeCertificates, request)
        return list(response.certificates)

    def submit_announcement(self, data: bytes) -> rotation_pb2.SubmitAnnouncementResponse:
        """Hand a signed proposal to the node; return what became of it."""
        request = rotation_pb2.SubmitAnnouncementRequest(data=data)
        response: rotation_pb2.SubmitAnnouncementResponse = self._call(self._rotation.SubmitAnnouncement, request)
        return response

    def misbehaviour(self) -> list[admin_pb2.Misbehaviour]:
        """Return the recorded misbehaviour of other members' logs."""
        request = admin_pb2.ListMisbehaviourRequest(page_size=MAX_PAGE)
        return [each for page in self._pages(self._stub.ListMisbehaviour, request) for each in page.misbehaviour]

    def restore_trust(self, number: int, reason: str) -> admin_pb2.Misbehaviour:
        """Trust a forked log again."""
        request = admin_pb2.RestoreTrustRequest(number=number, reason_text=reason)
        response: admin_pb2.RestoreTrustResponse = self._call(self._stub.RestoreTrust, request)
        return response.misbehaviour

    def begin_backup(self, backup_id: bytes) -> bool:
        """Log a backup before it is made; return whether the entry is witnessed."""
        request = admin_pb2.BeginBackupRequest(backup_id=backup_id)
        response: admin_pb2.BeginBackupResponse = self._call(self._stub.BeginBackup, request)
        return response.witnessed

    def grant_audit(self, request: admin_pb2.GrantAuditRequest) -> admin_pb2.AuditGrant:
        """Grant a member to see entries of the log."""
        response: admin_pb2.GrantAuditResponse = self._call(self._stub.GrantAudit, request)
        return response.grant

    def audit_grants(self) -> list[admin_pb2.AuditGrant]:
        """Return every grant."""
        request = admin_pb2.ListAuditGrantsRequest(page_size=MAX_PAGE)
        return [each for page in self._pages(self._stub.ListAuditGrants, request) for each in page.grants]

    def withdraw_audit(self, grant_id: int) -> admin_pb2.AuditGrant:
        """End a grant."""
        request = admin_pb2.WithdrawAuditRequest(grant_id=grant_id)
        response: admin_pb2.WithdrawAuditResponse = self._call(self._stub.WithdrawAudit, request)
        return response.grant

    def invite_officer(self, request: officer_pb2.InviteOfficerRequest) -> officer_pb2.InviteOfficerResponse:
        """Invite a person to enrol."""
        response: officer_pb2.InviteOfficerResponse = self._call(self._officers.InviteOfficer, request)
        return response

    def sign_invitation(self, invitation_sha256: bytes, signature: bytes) -> None:
        """Add an administrator's signature to an invitation."""
        request = officer_pb2.SignInvitationRequest(invitation_sha256=invitation_sha256, signature=signature)
        self._call(self._officers.SignInvitation, request)

    def confirm_officer(self, officer: str, enrolment_sha256: bytes) -> officer_pb2.OfficerRecord:
        """Confirm the keys of an officer that have this digest."""
        request = officer_pb2.ConfirmOfficerRequest(officer=officer, enrolment_sha256=enrolment_sha256)
        response: officer_pb2.ConfirmOfficerResponse = self._call(self._officers.ConfirmOfficer, request)
        return response.officer

    def admit_officers(self, officers: Sequence[officer_pb2.AdmittedOfficer]) -> officer_pb2.AdmitOfficersResponse:
        """Admit officers whose certificates were made apart from the node."""
        request = officer_pb2.AdmitOfficersRequest(officers=officers)
        response: officer_pb2.AdmitOfficersResponse = self._call(self._officers.AdmitOfficers, request)
        return response

    def officers(self) -> list[officer_pb2.OfficerRecord]:
        """Return every officer and every invited person, by id."""
        request = officer_pb2.ListOfficersRequest(page_size=MAX_PAGE)
        return [each for page in self._pages(self._officers.ListOfficers, request) for each in page.officers]

    def suspend_officer(self, officer: str, reason: str, *, stolen: bool) -> officer_pb2.OfficerRecord:
        """Suspend an officer."""
        request = officer_pb2.SuspendOfficerRequest(officer=officer, reason_text=reason, stolen=stolen)
        response: officer_pb2.SuspendOfficerResponse = self._call(self._officers.SuspendOfficer, request)
        return response.officer

    def reinstate_officer(self, officer: str, reason: str) -> officer_pb2.OfficerRecord:
        """End the suspension of an officer."""
        request = officer_pb2.ReinstateOfficerRequest(officer=officer, reason_text=reason)
        response: officer_pb2.ReinstateOfficerResponse = self._call(self._officers.ReinstateOfficer, request)
        return response.officer

    def change_officer(self, request: officer_pb2.ChangeOfficerRequest) -> officer_pb2.OfficerRecord:
        """Change the roles or the unit of an officer."""
        response: officer_pb2.ChangeOfficerResponse = self._call(self._officers.ChangeOfficer, request)
        return response.officer

    def remove_officer(self, officer: str, reason: str) -> officer_pb2.RemoveOfficerResponse:
        """Remove an officer; return what they leave undone, too."""
        request = officer_pb2.RemoveOfficerRequest(officer=officer, reason_text=reason)
        response: officer_pb2.RemoveOfficerResponse = self._call(self._officers.RemoveOfficer, request)
        return response

    def recover_officers(self) -> officer_pb2.RecoverOfficersResponse:
        """Enter again what the issuer's journal names."""
        request = officer_pb2.RecoverOfficersRequest()
        response: officer_pb2.RecoverOfficersResponse = self._call(self._officers.RecoverOfficers, request)
        return response

    def confirm_held_officers(self, officers: Sequence[str]) -> officer_pb2.ConfirmHeldOfficersResponse:
        """Confirm officers on hold since a restore, by id."""
        request = officer_pb2.ConfirmHeldOfficersRequest(officers=officers)
        response: officer_pb2.ConfirmHeldOfficersResponse = self._call(self._officers.ConfirmHeldOfficers, request)
        return response

    def _pages(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        """Yield the items of all pages."""
        while True:
            page = self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        if not self._socket.exists():
            raise Unavailable("node_unreachable", f"{self._socket}: the node does not run")
        try:
            return method(request, timeout=SECONDS)
        except grpc.RpcError as error:
            told: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]  # pairs, by any name
            reason = told.get(REASON_KEY, "")
            code = error.code()
            if reason not in REASONS:
                raise Unavailable("node_unreachable", f"{self._socket}: {code.name}") from error
            family = Unavailable if code in _PASSING else Rejected
            raise family(reason, error.details() or "") from error
