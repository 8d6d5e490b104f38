"""Controlled delivery, interruptions: stops, suspensions, the loss of control, and their ends."""

from typing import Final

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.i18n import N_
from paiza_domain.kinds.controlled_delivery.shapes import ACKNOWLEDGE_WITHIN, AUTHORISER, paragraph, place, step
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _stop_summary(content: pb.ControlledDeliveryStop, lang: str) -> str:
    reason = code_text("cd_stop_reason", content.stop_reason, lang)
    return f"{reason}: {content.text}" if content.text else reason


def _instructions() -> Field:
    return paragraph("instructions", N_("What the others are asked to do at once"), opened=True)


STEPS: Final[tuple[Kind, ...]] = (
    # Any state on its own territory, at any time; it goes ahead of everything.
    step(
        "cd-stop",
        title=N_("Controlled delivery: STOP"),
        shape=Shape(
            pb.ControlledDeliveryStop,
            (
                Field("stop_reason", N_("Reason of the stop"), FieldType.CODE, required=True, codes="cd_stop_reason"),
                paragraph("text", N_("What happened"), opened=True),
                place(N_("Where the consignment is")),
                _instructions(),
            ),
        ),
        summarise=_stop_summary,
        subject=("stop_reason", "place.country"),
        overtakes=True,
        answered_by=("cd-acknowledgement",),
        answer_deadline=ACKNOWLEDGE_WITHIN,
    ),
    # By the state that ordered the stop. Two officers sign, one as authoriser.
    step(
        "cd-stop-lifting",
        title=N_("Controlled delivery: stop lifted"),
        shape=Shape(
            pb.ControlledDeliveryStopLifting,
            (
                Field("stop_digest", N_("Digest of the stop"), FieldType.DIGEST, required=True),
                paragraph("reason", N_("Reason"), required=True),
            ),
        ),
        summarise=lambda content, _lang: content.reason,
        second_officer=True,
        second_role=AUTHORISER,
    ),
    # Nothing moves until the same state resumes.
    step(
        "cd-suspension",
        title=N_("Controlled delivery: suspension"),
        shape=Shape(
            pb.ControlledDeliverySuspension,
            (paragraph("reason", N_("Reason"), required=True), place(N_("Where the consignment is"))),
        ),
        summarise=lambda content, _lang: content.reason,
        subject=("place.country",),
    ),
    # Ends the own suspension, or says that control was regained.
    step(
        "cd-resumption",
        title=N_("Controlled delivery: resumption"),
        shape=Shape(
            pb.ControlledDeliveryResumption,
            (paragraph("reason", N_("Reason"), required=True), place(N_("Where the consignment is"))),
        ),
        summarise=lambda content, _lang: content.reason,
        subject=("place.country",),
    ),
    # An alert to everyone at once.
    step(
        "cd-control-lost",
        title=N_("Controlled delivery: CONTROL LOST"),
        shape=Shape(
            pb.ControlledDeliveryControlLost,
            (
                Field("lost_at", N_("Last under control on"), FieldType.PARTIAL_TIME, required=True),
                place(opened=True),
                paragraph("circumstances", N_("What happened"), required=True),
                paragraph("measures", N_("What is being done")),
                _instructions(),
            ),
        ),
        summarise=lambda content, _lang: content.circumstances,
        subject=("place.country",),
        overtakes=True,
        answered_by=("cd-acknowledgement",),
        answer_deadline=ACKNOWLEDGE_WITHIN,
        check=not_in_future("lost_at"),
    ),
)
