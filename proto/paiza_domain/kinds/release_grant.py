"""Release grant: the originator's consent that a message is passed on, by two officers, to those named and until then.

The parents are the release request and the message concerned, in this order.
"""

from collections.abc import Iterator
from typing import Any, Final

from paiza.content.v1.release_pb2 import ReleaseGrant
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_time
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.release import MAX_PURPOSES, MAX_RECIPIENTS, extract_named, recipients_once, until_ahead
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _related(content: Any) -> Iterator[tuple[str, Problem]]:
    yield from extract_named(content)
    yield from recipients_once(content)


SHAPE: Final = Shape(
    ReleaseGrant,
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
        Field("until_time", N_("Valid until"), FieldType.TIME, key="until", required=True),
        Field("conditions", N_("Conditions"), FieldType.LINES, max_length=4_000),
    ),
    related=_related,
)


def _summary(content: ReleaseGrant, lang: str) -> str:
    scope = code_text("release_scope", content.scope, lang)
    return f"{content.reference}: {scope} → {', '.join(content.recipients)}; ≤ {write_time(content.until_time)}"


KIND: Final = Kind(
    name="release-grant",
    version=1,
    title=N_("Consent to pass a message on"),
    shape=SHAPE,
    summarise=_summary,
    subject=("scope", "purposes"),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    second_officer=True,
    needs_parent=True,
    check=until_ahead,
)
