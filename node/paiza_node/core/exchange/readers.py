"""Officers who see a message in addition to those of its unit."""

from collections.abc import Sequence
from typing import Final

from paiza_node.core.access import store as access_store
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage
from paiza_node.core.log.transaction import LogTransaction


def _read_by_assignees(tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
    access_store.add_readers(tx.conn, [(each.assignee, each.row.seq) for each in messages if each.assignee])


def _read_by_signers(tx: LogTransaction, messages: Sequence[ReleasedMessage]) -> None:
    several = [each for each in messages if len(each.header.required_signers) > 1 or each.row.unit is None]
    access_store.add_readers(
        tx.conn, [(signer.id, each.row.seq) for each in several for signer in each.header.required_signers]
    )


READERS: Final = Reaction(_read_by_assignees, _read_by_signers)
"""Officers see a message that names them, that they co-signed, or that they signed without having a unit."""
