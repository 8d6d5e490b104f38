"""Release request: a holder asks the originator whether it may pass a message on; the message is the parent."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from paiza.content.v1.release_pb2 import ReleaseRequest
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.release import MAX_PURPOSES, MAX_RECIPIENTS, extract_named, recipients_once, until_ahead
from paiza_domain.schema.shapes import Field, FieldType, Shape

_ANSWER_DEADLINE: Final = timedelta(days=7)  # where it is not urgent


def _related(content: Any) -> Iterator[tuple[str, Problem]]:
    yield from extract_named(content)
    yield from recipients_once(content)


SHAPE: Final = Shape(
    ReleaseRequest,
    (
        Field("reference", N_("Own reference"), required=True),
        Field("scope", N_("How much is passed on"), FieldType.CODE, required=True, codes="release_scope"),
        Field("extract", N_("Which extract"), FieldType.LINES, hint=N_("only where the scope is an extract")),
        Field(
            "recipients",
            N_("To whom it is passed on"),
            required=True,
            most=MAX_RECIPIENTS,
            check=member_problem,
        ),
        Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
        Field("reason", N_("Why they need it"), FieldType.LINES, required=True, max_length=4_000),
        Field("until_time", N_("Valid until"), FieldType.TIME, key="until", short=True),
    ),
    related=_related,
)


def _summary(content: ReleaseRequest, lang: str) -> str:
    return f"{content.reference}: {code_text('release_scope', content.scope, lang)} → {', '.join(content.recipients)}"


KIND: Final = Kind(
    name="release-request",
    version=1,
    title=N_("Request to pass a message on"),
    shape=SHAPE,
    summarise=_summary,
    subject=("scope", "purposes"),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    needs_parent=True,
    answer_deadline=_ANSWER_DEADLINE,
    answered_by=("release-grant", "release-denial"),
    check=until_ahead,
)
