"""The services of a node, and what they are built from. `app.wiring` builds them."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.api.enrolment_server import EnrolmentListener
from paiza_node.core.api.services import Service
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.reactions import Reaction
from paiza_node.core.exchange.readers import READERS
from paiza_node.core.exchange.receive.receive import Receive
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.exchange.send.submit import Submit
from paiza_node.core.peers.blocks import PeerBlocks
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.log_answers import LogAnswers
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.attachments.attached import attachment_reaction
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.upload import Upload
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_node.features.directory.publish import PublishDirectory
from paiza_node.features.enrolment.ask_issuer import AskIssuer
from paiza_node.features.forwarding.forward import Forward
from paiza_node.features.forwarding.notify_new_holders import NotifyNewHolders
from paiza_node.features.recalls.recalls import recall_reaction
from paiza_node.features.recovery.restore_from_peers import RestoreFromPeers
from paiza_node.features.retention.erase import Erase
from paiza_node.features.retention.holds import Holds
from paiza_node.features.retention.log_retention import LogRetention
from paiza_node.features.retention.requests import erasure_reaction
from paiza_node.features.retention.reviews import REVIEW_DATES, Reviews
from paiza_node.features.search.index import NewMessages, TokenKey
from paiza_node.features.tasks.settle import task_reaction
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.consistency_monitor import ConsistencyMonitor
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.gossip import LargestKnown
from paiza_node.features.witness.misbehaviour import MisbehaviourRecorder
from paiza_node.features.witness.prune import Prune
from paiza_node.features.witness.submit_checkpoints import SubmitCheckpoints
from paiza_node.features.witness.upgrade_proofs import UpgradeProofs
from paiza_node.features.workflows.backfill import BackfillServe
from paiza_node.features.workflows.deadlines import WorkflowDeadlines
from paiza_node.features.workflows.legality import WORKFLOWS
from paiza_node.ops.config import Config
from paiza_register import RegisterReader
from paiza_wire.tlog.cosignatures import WitnessSigner

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]
"""Runs as long as the node."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The dependencies of all services."""

    config: Config
    core: Core
    officers: OfficerDirectory
    unit_directory: UnitDirectory
    token_key: TokenKey
    reader: RegisterReader
    witness: WitnessSigner
    new_messages: NewMessages = field(default_factory=NewMessages)

    @property
    def reactions(self) -> tuple[Reaction, ...]:
        """The reactions of capabilities to written messages, in any order."""
        member, node_id = self.core.member, self.core.node_id
        return (
            READERS,
            task_reaction(node_id, self.core.decryption_keys),
            recall_reaction(node_id),
            erasure_reaction(member, node_id),
            attachment_reaction(member),
            WORKFLOWS,
            REVIEW_DATES,
            self.new_messages.reaction,
        )


@dataclass(frozen=True, slots=True)
class Attachments:
    """The services of attachments."""

    files: AttachmentFiles
    upload: Upload
    downloads: AttachmentDownloads


@dataclass(frozen=True, slots=True)
class Exchange:
    """The services of the exchange between nodes, and of submission, approval and forwarding."""

    submit: Submit
    approve: Approve
    forward: Forward
    notify_new_holders: NotifyNewHolders
    receive: Receive
    log_answers: LogAnswers
    deadlines: WorkflowDeadlines
    backfill_serve: BackfillServe


@dataclass(frozen=True, slots=True)
class Witness:
    """The services of witnessing."""

    checkpoint_exchange: CheckpointExchange
    gossip: LargestKnown
    answer_exchange: AnswerExchange
    submit_checkpoints: SubmitCheckpoints
    upgrade_proofs: UpgradeProofs
    prune: Prune
    monitor: ConsistencyMonitor
    misbehaviour: MisbehaviourRecorder


@dataclass(frozen=True, slots=True)
class Retention:
    """Erasure, legal hold, reviews and log retention."""

    erase: Erase
    holds: Holds
    reviews: Reviews
    log_retention: LogRetention


@dataclass(frozen=True, slots=True)
class Services:
    """RPC ``handlers``, ``background_tasks``, and the services that status and metrics read."""

    handlers: tuple[Service, ...]
    background_tasks: tuple[BackgroundTask, ...]
    peers: PeerDirectory
    blocks: PeerBlocks
    queues: OutboundQueues
    upload: Upload
    downloads: AttachmentDownloads
    witness: Witness
    restore_from_peers: RestoreFromPeers
    proposals: Proposals
    issuer: AskIssuer | None
    directory: PublishDirectory
    enrolment: EnrolmentListener | None
