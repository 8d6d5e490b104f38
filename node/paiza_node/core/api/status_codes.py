"""Mapping of refusals to gRPC statuses. Trailing metadata carry the reason code, since the status is too coarse.

INTERNAL is left to the library, whose statuses have no reason: for bytes that are no HTTP/2 or no gRPC.
"""

import asyncio
from typing import Any, Final

import grpc
import structlog

from paiza_node.core.errors import damage_of
from paiza_wire.errors import PaizaError, Rejected, Unavailable

REASON_KEY: Final = "paiza-reason"
RETRY_KEY: Final = "paiza-retry-after-ms"
MAX_DETAIL: Final = 1000  # characters
BUSY_SECONDS: Final = 1.0

log = structlog.get_logger("paiza.api")

_CODES: Final = {
    "audit_not_granted": grpc.StatusCode.PERMISSION_DENIED,
    "busy": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "classical_key_exchange": grpc.StatusCode.UNAUTHENTICATED,
    "certificate_expired": grpc.StatusCode.UNAUTHENTICATED,
    "certificate_revoked": grpc.StatusCode.UNAUTHENTICATED,
    "bad_certificate": grpc.StatusCode.UNAUTHENTICATED,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "wrong_member": grpc.StatusCode.PERMISSION_DENIED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "member_blocked": grpc.StatusCode.PERMISSION_DENIED,
    "member_unusable": grpc.StatusCode.PERMISSION_DENIED,
    "member_suspended": grpc.StatusCode.PERMISSION_DENIED,
    "policy_denied": grpc.StatusCode.PERMISSION_DENIED,
    "unknown_officer": grpc.StatusCode.PERMISSION_DENIED,
    "unknown_id": grpc.StatusCode.NOT_FOUND,
    "unknown_proposal": grpc.StatusCode.NOT_FOUND,
    "unknown_file": grpc.StatusCode.NOT_FOUND,
    "register_unknown": grpc.StatusCode.NOT_FOUND,
}


async def refuse(context: Any, error: BaseException) -> None:
    """End a call with the status of a refusal. Any other error is logged in full and returned as internal_error.

    What cannot be read of a stored row, or not be shown, ends the call as log_damaged: requests were parsed before.

    The cancellation of a call by its caller is raised again. If something was cancelled that the call waited for, it is
    refused: the library would end it without a status.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise error
        error = Unavailable("busy", "what the call waited for was ended", BUSY_SECONDS)
    if (damage := damage_of(error)) is not None:
        log.error("row_damaged", detail=f"{type(error).__name__}: {error}")
        error.__traceback__ = error.__cause__ = error.__context__ = None
        error = damage
    elif isinstance(error, Unavailable) and error.reason == "log_damaged":
        log.error("row_damaged", detail=error.detail)
    is_refusal = isinstance(error, PaizaError)
    if not is_refusal:
        log.error("internal_error", exc_info=error)
    # The library keeps the exception that ends a call in a cycle with the call. Until cycles are collected, all of a
    # refused request, which may have megabytes, would stay with it.
    error.__traceback__ = error.__cause__ = error.__context__ = None
    if not is_refusal:
        context.set_trailing_metadata(((REASON_KEY, "internal_error"),))
        await context.abort(grpc.StatusCode.UNKNOWN, "the node failed; its operator finds the cause in its log")
    assert isinstance(error, PaizaError)
    metadata = [(REASON_KEY, error.reason)]
    if isinstance(error, Unavailable) and error.retry_after_seconds is not None:
        metadata.append((RETRY_KEY, str(int(error.retry_after_seconds * 1000))))
    context.set_trailing_metadata(tuple(metadata))
    final = grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, Rejected) else grpc.StatusCode.UNAVAILABLE
    # The library ends a call without a reason if it cannot encode the text, such as one with the name of a file.
    detail = error.detail[:MAX_DETAIL].encode("utf-8", "replace").decode()
    await context.abort(_CODES.get(error.reason, final), detail)


def reason_of(error: BaseException) -> str:
    """Return the reason that a call ended by this error is counted under."""
    if isinstance(error, PaizaError):
        return error.reason
    if (damage := damage_of(error)) is not None:
        return damage.reason
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "internal_error"
