"""What a node tells officers of workflows besides messages: in words, in either language."""

from datetime import datetime
from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.reading import code_text

DEADLINE_CODES: Final = "cd_deadline"  # code list of what falls due
OVERLAP: Final = "overlap"  # code of a notice: another operation is concerned

_DUE: Final = N_("{thread}: {what} ({member}) is due by {time}.")
_OVERDUE: Final = N_("{thread}: {what} ({member}) was due by {time} and is overdue.")
_OVERLAP: Final = N_("{thread} overlaps with another operation under way: {others}.")


def due_text(thread: str, code: str, member: str, due_time: datetime, *, overdue: bool, lang: str) -> str:
    """Say what falls due, or has fallen due, where and for whom."""
    return translate(_OVERDUE if overdue else _DUE, lang).format(
        thread=thread, what=code_text(DEADLINE_CODES, code, lang), member=member, time=f"{due_time:%Y-%m-%d %H:%M} UTC"
    )


def overlap_text(thread: str, others: list[str], lang: str) -> str:
    """Say that an operation overlaps with others, by their threads' short names."""
    return translate(_OVERLAP, lang).format(thread=thread, others=", ".join(others))
