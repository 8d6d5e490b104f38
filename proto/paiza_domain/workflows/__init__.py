"""The registry of workflows, by the name that a kind declares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from paiza_domain.workflows import controlled_delivery
from paiza_domain.workflows.step import Step

__all__ = ["Step", "Workflow", "get"]


class _Reduce(Protocol):
    def __call__(self, steps: Iterable[Step]) -> Any: ...


class _CheckNext(Protocol):
    def __call__(self, steps: Iterable[Step], step: Step) -> tuple[Any, ...]: ...


class _Overdue(Protocol):
    def __call__(self, view: Any, now: datetime) -> tuple[Any, ...]: ...


class _NextSteps(Protocol):
    def __call__(
        self, steps: Iterable[Step], view: Any, member: str, now: datetime
    ) -> Mapping[str, tuple[Any, ...]]: ...


class _Settled(Protocol):
    def __call__(self, steps: Iterable[Step], view: Any, member: str) -> frozenset[bytes]: ...


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow: `reduce` returns the view of a thread, `check_next` the rules that a next step would break.

    `settled` returns the steps of others that ask nothing more of a member, `next_steps` every kind of step with the
    rules that stand against it now.
    """

    name: str
    reduce: _Reduce
    check_next: _CheckNext
    overdue: _Overdue
    settled: _Settled
    next_steps: _NextSteps


_WORKFLOWS: Final[Mapping[str, Workflow]] = MappingProxyType({
    controlled_delivery.NAME: Workflow(
        controlled_delivery.NAME,
        controlled_delivery.reduce,
        controlled_delivery.check_next,
        controlled_delivery.overdue,
        controlled_delivery.settled,
        controlled_delivery.next_steps,
    ),
})  # fmt: skip


def get(name: str) -> Workflow:
    """Return the workflow of that name; KeyError if there is none, which is an error in the kind that names it."""
    return _WORKFLOWS[name]
