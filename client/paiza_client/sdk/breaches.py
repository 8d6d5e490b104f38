"""The rules that a step of a workflow breaks, in the language of the officer."""

from collections.abc import Iterable

from paiza.officer.v1 import workflow_pb2
from paiza_client.language import language
from paiza_domain.workflows.controlled_delivery.rules import breach_text
from paiza_officer.errors import FieldProblem


def text(breach: workflow_pb2.WorkflowBreach) -> str:
    """Return the sentence for one broken rule."""
    return breach_text(breach.rule, breach.values, language())


def problems(breaches: Iterable[workflow_pb2.WorkflowBreach]) -> list[FieldProblem]:
    """Return one problem for each broken rule."""
    return [FieldProblem("", text(breach), breach.rule) for breach in breaches]
