"""Whole numbers on the command line."""

from gettext import gettext as _  # the texts are those of click

import click
from typing_extensions import override


class WholeNumber(click.IntRange):
    """A whole number from `min` to `max`, both included; its limits are shown as 1–100 000 or ≥ 1."""

    name = "count"

    @override
    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(_("{value} is not in the range {range}.").format(value=value, range=self._describe_range()))
        return super().convert(number, param, ctx)

    @override
    def _describe_range(self) -> str:
        # Groups are set apart by a thin space that does not break, which both languages read.
        least, most = (f"{limit:,}".replace(",", "\u202f") for limit in (self.min or 0, self.max or 0))
        return f"≥ {least}" if self.max is None else f"{least}–{most}"
