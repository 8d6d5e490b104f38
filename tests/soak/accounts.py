"""What became of every message, counted on the disks of both sides: by their logs and by their rows.

Only what was read from disk counts, with code of its own; what officers were told is compared with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import ReadConnection, open_store
from paiza_node.ops.config import load
from tests.federation import NodeProcess
from tests.soak.traffic import Sender
from tests.system import ledgers

Pair = tuple[bytes, str]
"""A message, and the member at the other end."""


@dataclass(frozen=True)
class Account:
    """One node's account: how often its log says each thing of a message and a member, and its rows."""

    entries: Sequence[bytes]
    released: Counter[Pair]
    received: Counter[Pair]
    delivered: Counter[Pair]
    queued: Counter[Pair]
    settled: frozenset[Pair]
    inbox: frozenset[Pair]
    sent: frozenset[bytes]
    broken: str = ""
    """Why the log does not hash to its head; empty if it does."""


@dataclass
class Balance:
    """Messages counted over all nodes, with the first examples of what is wrong."""

    messages: int = 0
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, what: str, found: Iterable[object]) -> int:
        """Keep the first example; return how many there are."""
        wrong = list(found)
        if wrong:
            self.examples.append(f"{what}: {len(wrong):,}, the first: {wrong[0]!r}")
        return len(wrong)


def read(node: NodeProcess) -> Account:
    """Read a stopped node's disk."""
    store = open_store(load(node.config).database, read_only=True)
    e, m, d = log_store.log_entry_table.c, messages_store.message_table.c, deliveries_store.delivery_table.c
    try:
        with store._readers.connect() as connection:
            head = log_store.head(ReadConnection(connection))
            entries = [bytes(entry) for (entry,) in connection.execute(select(e.entry).order_by(e.index))]
            messages = connection.execute(select(m.digest, m.author, m.state)).all()
            deliveries = connection.execute(select(d.digest, d.recipient, d.state)).all()
    finally:
        store.close()
    said: dict[int, Counter[Pair]] = {
        event: Counter() for event in (ledgers.RELEASED, ledgers.RECEIVED, ledgers.DELIVERED)
    }
    for raw in entries:
        entry = log_pb2.LogEntry.FromString(raw)
        if entry.event in said:
            said[entry.event][entry.message_digest, entry.counterpart] += 1
    hashed = ledgers.roots_at(entries, {len(entries)})[len(entries)]
    return Account(
        entries=entries,
        released=said[ledgers.RELEASED],
        received=said[ledgers.RECEIVED],
        delivered=said[ledgers.DELIVERED],
        queued=Counter((digest, recipient) for digest, recipient, _ in deliveries),
        settled=frozenset(
            (digest, recipient)
            for digest, recipient, state in deliveries
            if state == delivery_pb2.DELIVERY_STATE_DELIVERED
        ),
        inbox=frozenset((digest, author) for digest, author, state in messages if state == MessageState.RECEIVED),
        sent=frozenset(digest for digest, _, state in messages if state == MessageState.RELEASED),
        broken="" if (head.size, head.root) == (len(entries), hashed) else "the log does not hash to its head",
    )


def balance(senders: Mapping[str, Sender], accounts: Mapping[str, Account]) -> Balance:
    """Compare what officers wrote and were told with what both sides hold of it."""
    found = Balance()
    received: Counter[tuple[str, bytes, str]] = Counter()
    inbox: set[tuple[str, bytes, str]] = set()
    for member, account in accounts.items():
        received.update({(author, digest, member): count for (digest, author), count in account.received.items()})
        inbox |= {(author, digest, member) for digest, author in account.inbox}
        found.invented += found.note(f"{member}: its log", [account.broken] if account.broken else [])
    for member, sender in senders.items():
        account = accounts[member]
        written = {(digest, recipient) for digest, recipient in sender.written.items()}
        found.messages += len(written)
        found.lost += found.note(f"{member}: never answered", sender.written.keys() - sender.receipts.keys())
        found.lost += found.note(
            f"{member}: receipts that are not in its log",
            (
                digest
                for digest, (_, index, entry) in sender.receipts.items()
                if account.entries[index : index + 1] != [entry]
            ),
        )
        for place, held in (
            ("RELEASED of its log", account.released.keys()),
            ("rows of its queue", account.queued.keys()),
            ("settled rows of its queue", account.settled),
            ("rows of its messages", {(digest, sender.written.get(digest, "")) for digest in account.sent}),
            ("DELIVERED of its log", account.delivered.keys()),
            ("RECEIVED of the recipient's log", {(d, to) for author, d, to in received if author == member}),
            ("rows of the recipient's inbox", {(d, to) for author, d, to in inbox if author == member}),
        ):
            found.lost += found.note(f"{member}: missing from the {place}", written - held)
            found.invented += found.note(f"{member}: unknown in the {place}", held - written)
        for what, counted in (
            ("released", account.released),
            ("queued", account.queued),
            ("delivered", account.delivered),
        ):
            found.doubled += found.note(f"{member}: {what} twice", (pair for pair, n in counted.items() if n > 1))
    found.doubled += found.note("received twice", (each for each, count in received.items() if count > 1))
    return found
