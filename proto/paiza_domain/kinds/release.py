"""Release: a holder asks the originator for permission to forward a message; the originator grants or denies it.

The message concerned is the parent of the request; the parents of the answer are the request and that message, in this
order.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from paiza.content.v1 import release_pb2 as pb
from paiza_domain.handling import MAX_PURPOSES
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import timestamp_text
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import not_in_past
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_wire.message import MAX_RECIPIENTS

_ANSWER_DEADLINE: Final = timedelta(days=7)  # if not urgent
_ASKING: Final = frozenset({"liaison", "duty", "coordinator"})
_DECIDING: Final = _ASKING | {"authoriser"}

_REFERENCE: Final = Field("reference", N_("Own reference"), required=True)
_WHAT_AND_TO_WHOM: Final = (
    _REFERENCE,
    Field("scope", N_("How much is passed on"), FieldType.CODE, required=True, codes="release_scope"),
    Field("extract", N_("Which extract"), FieldType.LINES, hint=N_("only where the scope is an extract")),
    Field("recipients", N_("To whom it is passed on"), required=True, most=MAX_RECIPIENTS, check=member_problem),
    Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
)


def _extract_named_recipients_once(content: Any) -> Iterator[tuple[str, Problem]]:
    if content.scope == "extract" and not content.extract:
        yield "extract", ("missing", {})
    if content.extract and content.scope != "extract":
        yield "extract", ("not_allowed_here", {})
    members = list(content.recipients)
    if len(set(members)) != len(members):
        yield "recipients", ("value_repeated", {"value": max(members, key=members.count)})


def _summary(content: Any, lang: str) -> str:
    return f"{content.reference}: {code_text('release_scope', content.scope, lang)} → {', '.join(content.recipients)}"


def _grant_summary(content: pb.ReleaseGrant, lang: str) -> str:
    return f"{_summary(content, lang)}; ≤ {timestamp_text(content.until_time, lang)}"


def _denial_summary(content: pb.ReleaseDenial, lang: str) -> str:
    return f"{content.reference}: {code_text('refusal', content.refusal, lang)}"


KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        name="release-request",
        version=1,
        title=N_("Request to pass a message on"),
        shape=Shape(
            pb.ReleaseRequest,
            (
                *_WHAT_AND_TO_WHOM,
                Field("reason", N_("Why they need it"), FieldType.LINES, required=True, max_length=4_000),
                Field("until_time", N_("Valid until"), FieldType.TIME, key="until", short=True),
            ),
            related=_extract_named_recipients_once,
        ),
        summarise=_summary,
        subject=("scope", "purposes"),
        sender_roles=_ASKING,
        needs_parent=True,
        answer_deadline=_ANSWER_DEADLINE,
        answered_by=("release-grant", "release-denial"),
        check=not_in_past("until"),
    ),
    # By two officers, to those named and until then.
    Kind(
        name="release-grant",
        version=1,
        title=N_("Consent to pass a message on"),
        shape=Shape(
            pb.ReleaseGrant,
            (
                *_WHAT_AND_TO_WHOM,
                Field("until_time", N_("Valid until"), FieldType.TIME, key="until", required=True),
                Field("conditions", N_("Conditions"), FieldType.LINES, max_length=4_000),
            ),
            related=_extract_named_recipients_once,
        ),
        summarise=_grant_summary,
        subject=("scope", "purposes"),
        sender_roles=_DECIDING,
        second_officer=True,
        needs_parent=True,
        check=not_in_past("until"),
    ),
    Kind(
        name="release-denial",
        version=1,
        title=N_("Refusal to have a message passed on"),
        shape=Shape(
            pb.ReleaseDenial,
            (
                _REFERENCE,
                Field("refusal", N_("Reason of the refusal"), FieldType.CODE, required=True, codes="refusal"),
                Field("note", N_("Note"), FieldType.LINES, max_length=2_000),
            ),
        ),
        summarise=_denial_summary,
        subject=("refusal",),
        sender_roles=_DECIDING,
        needs_parent=True,
    ),
)
