"""RPCs of the issuer, each in a thread: a token may sign slowly."""

import asyncio

import structlog

from paiza.issuer.v1 import issuer_pb2
from paiza_node.core.api import paging
from paiza_node.core.api.services import Service
from paiza_node.ops.issuer.issue import Issuer
from paiza_node.ops.issuer.journal import Issued
from paiza_wire.errors import PaizaError

log = structlog.get_logger("paiza.issuer")


class IssuerService(Service):
    """Handles requests of the node; all that is issued or refused is logged."""

    service = issuer_pb2.DESCRIPTOR.services_by_name["IssuerService"]

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def get_state(self, _request: issuer_pb2.GetStateRequest) -> issuer_pb2.GetStateResponse:
        return await asyncio.to_thread(self._issuer.state)

    async def update_register(self, request: issuer_pb2.UpdateRegisterRequest) -> issuer_pb2.UpdateRegisterResponse:
        files = {each.path: each.data for each in request.files}
        try:
            version = await asyncio.to_thread(self._issuer.update_register, files)
        except PaizaError as error:
            log.warning("register_refused", reason=error.reason, detail=error.detail)
            raise
        return issuer_pb2.UpdateRegisterResponse(register_version=version)

    async def issue_officer(self, request: issuer_pb2.IssueOfficerRequest) -> issuer_pb2.IssueOfficerResponse:
        try:
            issued = await asyncio.to_thread(self._issuer.issue_officer, request)
        except PaizaError as error:
            _log_refusal(request.entry, error)
            raise
        _log_issued(issued)
        authentication, signing = issued.certificates
        return issuer_pb2.IssueOfficerResponse(authentication_certificate=authentication, signing_certificate=signing)

    async def issue_node(self, request: issuer_pb2.IssueNodeRequest) -> issuer_pb2.IssueNodeResponse:
        try:
            issued = await asyncio.to_thread(self._issuer.issue_node, request)
        except PaizaError as error:
            _log_refusal(request.entry, error)
            raise
        _log_issued(issued)
        return issuer_pb2.IssueNodeResponse(certificate=issued.certificates[0])

    async def list_issued(self, request: issuer_pb2.ListIssuedRequest) -> issuer_pb2.ListIssuedResponse:
        (begin,) = paging.numbers_of(request, 1) or (0,)
        found = self._issuer.journal.lines
        end = begin + paging.page_size(request)
        return issuer_pb2.ListIssuedResponse(
            issued=[_shown(each) for each in found[begin:end]],
            next_page_token=paging.token_of(end) if end < len(found) else "",
        )


def _shown(issued: Issued) -> issuer_pb2.IssuedCertificates:
    shown = issuer_pb2.IssuedCertificates(log_origin=issued.log.origin, log_index=issued.index)
    if issued.kind == "node":
        (shown.node_certificate,) = issued.certificates
    else:
        shown.officer_id, shown.statement, shown.renewed = issued.id, issued.statement, issued.kind == "renewal"
        shown.authentication_certificate, shown.signing_certificate = issued.certificates
    shown.issued_time.FromDatetime(issued.time)
    return shown


def _log_issued(issued: Issued) -> None:
    log.info("issued", kind=issued.kind, id=issued.id, log_index=issued.index)


def _log_refusal(entry: issuer_pb2.WitnessedEntry, error: PaizaError) -> None:
    log.warning("not_issued", log_index=entry.proven.index, reason=error.reason, detail=error.detail)
