"""A message in list form."""

from dataclasses import dataclass, field

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
