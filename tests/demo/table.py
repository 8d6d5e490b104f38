"""The end of the demo: one table of what was delivered and by what it is proven, and what was refused and why."""

from collections.abc import Sequence
from typing import Final

from tests.demo.day import Refusal
from tests.demo.proof import Delivered
from tests.demo.words import WIDTH, Voice

COLUMNS: Final = (14, 28, 12, 8, 30)  # thread, kind, from → to, duration, receipt; with blanks between, 100


def show(voice: Voice, delivered: Sequence[Delivered], refusals: Sequence[Refusal]) -> None:
    """Print it."""
    print("─" * WIDTH)
    heads = (
        voice("thread", "переписка"),
        voice("kind", "вид"),
        voice("from → to", "от → кому"),
        voice("in", "за"),
        voice("proven by the receipt", "доказано квитанцией"),
    )
    _row(*heads)
    print("─" * WIDTH)
    for row in delivered:
        route = f"{row.sender} → {row.recipient}"
        _row(row.thread, f"{row.kind} {row.urgency}", route, _duration(row.seconds, voice), f"{row.log} #{row.index}")
    print("─" * WIDTH)
    print(voice("Refused, as it must be:", "Отклонено, как и должно быть:"))
    for refusal in refusals:
        print(f"  {refusal.who}: {refusal.what}")
        print(f"    {refusal.reason}: {refusal.sentence}")
    print("─" * WIDTH)


def _row(*cells: str) -> None:
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, COLUMNS, strict=True)).rstrip())


def _duration(seconds: float, voice: Voice) -> str:
    if seconds < 1:
        return f"{seconds * 1000:5.0f} " + voice("ms", "мс")
    return voice(f"{seconds:5.1f} s", f"{seconds:5.1f} с".replace(".", ","))
