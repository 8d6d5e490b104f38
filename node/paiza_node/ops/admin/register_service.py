"""Requests about the register, on the operator's own socket."""

from hashlib import sha256

import structlog

from paiza.admin.v1 import admin_pb2
from paiza_node.core.access.operator import operator
from paiza_node.core.api.services import Service
from paiza_node.core.register.refresh import RegisterRefresh
from paiza_node.core.register.sync import RegisterCache
from paiza_wire.errors import Rejected
from paiza_wire.identity import load_certificate, uri_san
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.keys import fingerprint as key_fingerprint

log = structlog.get_logger("paiza.register")


class RegisterAdminService(Service):
    """Refreshes the register, tells of its publication, and revokes certificates of the own member."""

    service = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]

    def __init__(self, member: str, cache: RegisterCache, refresh: RegisterRefresh) -> None:
        self._member = member
        self._cache = cache
        self._refresh = refresh

    async def refresh_register(self, _request: admin_pb2.RefreshRegisterRequest) -> admin_pb2.RefreshRegisterResponse:
        reasons = await self._refresh.ask_all()
        last = self._cache.last
        return admin_pb2.RefreshRegisterResponse(
            register_version=last.version,
            timestamp_version=last.timestamp_version,
            unanswered=[
                admin_pb2.Unanswered(member=member, reason=reason) for member, reason in sorted(reasons.items())
            ],
        )

    async def get_publication(self, _request: admin_pb2.GetPublicationRequest) -> admin_pb2.GetPublicationResponse:
        return self._refresh.publication()

    async def revoke_certificate(
        self, request: admin_pb2.RevokeCertificateRequest
    ) -> admin_pb2.RevokeCertificateResponse:
        certificate = load_certificate(request.certificate)
        named = uri_san(certificate)
        if named.member != self._member:
            raise Rejected("wrong_member", "a member revokes its own certificates")
        fingerprints = sha256(request.certificate).digest(), key_fingerprint(p256_key(certificate))
        version = await self._refresh.revoke(fingerprints)
        log.warning("certificate_revoked", certificate=fingerprints[0].hex(), by=operator())
        return admin_pb2.RevokeCertificateResponse(register_version=version)
