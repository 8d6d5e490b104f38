"""A message in list form."""

from dataclasses import dataclass, field, replace

from paiza_domain.threads.thread import UNAMENDED, Amendments
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.messages.model import MessageRow
from paiza_node.features.attachments.model import AttachmentRow


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message with its states, as a list shows it."""

    row: MessageRow
    opened_by_caller: bool
    opened: bool
    deliveries: list[DeliveryRow] = field(default_factory=list)
    marks: Amendments = UNAMENDED
    attachments: list[AttachmentRow] = field(default_factory=list)
    linked: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message as it was read for several officers: ``listed`` is as for one who did not open it.

    ``openers`` opened its main part; ``readers`` see it whatever their unit.
    """

    listed: ListedMessage
    openers: frozenset[str]
    readers: frozenset[str]

    def shown_to(self, officer: str) -> ListedMessage:
        """Return the message in list form for one officer."""
        return replace(self.listed, opened_by_caller=True) if officer in self.openers else self.listed
