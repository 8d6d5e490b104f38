"""Requests to replace keys, on the operator's own socket."""

from hashlib import sha256
from typing import Final

from paiza.admin.v1 import rotation_pb2
from paiza_node.core.access.operator import operator
from paiza_node.core.api.services import Service
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log.ledger import Ledger
from paiza_node.features.ceremonies.model import HeldState
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_node.features.enrolment.issuing import Issuer
from paiza_node.ops.announced_keys import SHA256_BYTES, announce
from paiza_node.ops.reload import Reload
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.identity.certificates import read_csr
from paiza_wire.identity.keys import fingerprint

KINDS: Final = frozenset({"tls", "encryption", "log", "witness", "node-ca", "officer-ca"})
PUBLICATION_SECONDS: Final = 20.0  # an operator waits for it; it usually takes one or two


class RotationService(Service):
    """Reloads the node, logs new keys, and publishes what the member announces of them."""

    service = rotation_pb2.DESCRIPTOR.services_by_name["RotationService"]

    def __init__(self, reload: Reload, ledger: Ledger, proposals: Proposals, issuer: Issuer | None) -> None:
        self._reload = reload
        self._ledger = ledger
        self._proposals = proposals
        self._issuer = issuer

    async def reload(self, _request: rotation_pb2.ReloadRequest) -> rotation_pb2.ReloadResponse:
        try:
            done = await self._reload()
        except NodeStopped as error:
            refusal = rotation_pb2.ReloadRefusal(
                reason=error.reason, what=error.what, where=error.where, remedy=error.remedy
            )
            return rotation_pb2.ReloadResponse(refusal=refusal)
        return rotation_pb2.ReloadResponse(
            certificate=done.certificate,
            encryption_keys=done.encryption_keys,
            config=done.config,
            ignored=done.ignored,
        )

    async def announce_key(self, request: rotation_pb2.AnnounceKeyRequest) -> rotation_pb2.AnnounceKeyResponse:
        kind, key = request.kind, request.key_sha256
        if kind not in KINDS or len(key) != SHA256_BYTES:
            raise Rejected("malformed", "a key is named by its kind and 32 bytes")
        index = (await self._ledger.commit(lambda tx: announce(tx, kind, key))).result
        return rotation_pb2.AnnounceKeyResponse(index=index)

    async def certify_key(self, request: rotation_pb2.CertifyKeyRequest) -> rotation_pb2.CertifyKeyResponse:
        if self._issuer is None:
            raise Rejected("issuer_missing", "issuer_socket is not set in node.toml")
        _identity, key = read_csr(request.request)
        index = (await self._ledger.commit(lambda tx: announce(tx, "tls", fingerprint(key)))).result
        # A crash here, or an issuer that does not answer, leaves the entry: a repeat asks for the same once more.
        certificate = await self._issuer.certify_node(index, request.request)
        digest = sha256(certificate).digest()
        await self._ledger.commit(
            lambda tx: tx.append(log_entries.node_certified(actor=operator(), certificate_sha256=digest))
        )
        return rotation_pb2.CertifyKeyResponse(certificate=certificate)

    async def get_node_certificates(
        self, _request: rotation_pb2.GetNodeCertificatesRequest
    ) -> rotation_pb2.GetNodeCertificatesResponse:
        if self._issuer is None:
            return rotation_pb2.GetNodeCertificatesResponse()
        return rotation_pb2.GetNodeCertificatesResponse(certificates=await self._issuer.node_certificates())

    async def submit_announcement(
        self, request: rotation_pb2.SubmitAnnouncementRequest
    ) -> rotation_pb2.SubmitAnnouncementResponse:
        _outcome, held = await self._proposals.submit(request.data, operator())
        if held.state is HeldState.COMPLETE:
            held = await self._proposals.published(held.fingerprint, PUBLICATION_SECONDS)
        return rotation_pb2.SubmitAnnouncementResponse(
            fingerprint=held.fingerprint, register_version=held.register_version, waits_for=held.waits_for
        )
