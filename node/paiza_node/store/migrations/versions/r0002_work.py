"""The work itself: approvals, desks, passing on, attachments, search. The tables are explained in `store/schema.py`."""

from typing import Final

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create everything. A crash leaves nothing: it is one transaction on both databases."""
    _create_approvals()
    _create_desks()
    _create_passing()
    _create_attachments()
    _create_search()


def _create_approvals() -> None:
    """Messages that wait for their second officer."""


def _create_desks() -> None:
    """Who works on which message, and until when."""


def _create_passing() -> None:
    """To whom messages were passed on."""


def _create_attachments() -> None:
    """Files that travel apart from their message."""


def _create_search() -> None:
    """Keyed blind tokens of what messages speak of."""
