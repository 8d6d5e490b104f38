"""Rooms: the verbs and duties of a node, built and connected. What each RPC does, and what runs as long as the node.

Each builder makes one room from the context all share and the rooms it needs. Rooms that act on what others committed
hear of it as subscribers of the ledger's changes (`changes`): no room is told of one that is built after it.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import Desks
from paiza_node.core.access.open import Disclose
from paiza_node.core.dependencies import Context
from paiza_node.core.exchange.receive.write import PROTOCOL_VERSION, Receive
from paiza_node.core.exchange.send.check import Submit
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.exchange.service import exchange_behaviours
from paiza_node.core.exchange.stages import ReleaseStage
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.channels import ATTACHMENT_OPTIONS, ChannelKeys, GrpcChannel
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.model import FindingState
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.register.service import register_behaviours
from paiza_node.core.version import VERSION
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.pending import approval_stage
from paiza_node.features.approvals.service import approval_behaviours
from paiza_node.features.attachments.attached import attachment_stage
from paiza_node.features.attachments.download import Collect
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.serve import HandOut
from paiza_node.features.attachments.service import attachment_behaviours
from paiza_node.features.attachments.upload import Upload
from paiza_node.features.audit.log_index import Facts
from paiza_node.features.audit.service import audit_behaviours
from paiza_node.features.audit.trail import Audit
from paiza_node.features.forwarding.export import Export
from paiza_node.features.forwarding.forward import Forward
from paiza_node.features.forwarding.holders import Holders
from paiza_node.features.forwarding.inherited_markings import inherited_markings_stage
from paiza_node.features.forwarding.notify_new_holders import LateHolders
from paiza_node.features.forwarding.operation_limits import OperationLimits
from paiza_node.features.forwarding.service import passing_behaviours
from paiza_node.features.inbox.notices import Pending
from paiza_node.features.inbox.service import OfficerService
from paiza_node.features.peer_audit.consult import Consult
from paiza_node.features.peer_audit.reconciliation import Periods
from paiza_node.features.peer_audit.relay import Relay
from paiza_node.features.peer_audit.service import coordination_behaviours, oversight_behaviours
from paiza_node.features.recalls.recalls import recall_stage
from paiza_node.features.recovery.recovered_messages import Regains
from paiza_node.features.recovery.restore_from_peers import FetchBack
from paiza_node.features.recovery.serve_peer import GiveBack
from paiza_node.features.recovery.service import recovery_behaviours
from paiza_node.features.retention.erase import Erase
from paiza_node.features.retention.erasure_status import Erasures
from paiza_node.features.retention.holds import Holds
from paiza_node.features.retention.log_retention import Retire
from paiza_node.features.retention.requests import erasure_stage
from paiza_node.features.retention.reviews import Reviews
from paiza_node.features.retention.service import lawful_behaviours
from paiza_node.features.search.index import Blinder, Index
from paiza_node.features.search.search import Search
from paiza_node.features.search.service import SearchService
from paiza_node.features.tasks.assign import Assign
from paiza_node.features.tasks.service import desk_behaviours
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.consistency_monitor import Judge
from paiza_node.features.witness.cosigning import Cosigner
from paiza_node.features.witness.exchange import Witnessing
from paiza_node.features.witness.gossip import LargestKnown
from paiza_node.features.witness.misbehaviour import Convictions
from paiza_node.features.witness.prove import ProveEntries
from paiza_node.features.witness.prune import Thinning
from paiza_node.features.witness.rounds import Rounds
from paiza_node.features.witness.service import witness_behaviours
from paiza_node.features.witness.submit_checkpoints import Show
from paiza_node.features.witness.upgrade_proofs import Upgrade
from paiza_node.features.workflows.backfill import Ask, Give
from paiza_node.features.workflows.deadlines import Duties
from paiza_node.features.workflows.legality import Standings, workflow_stage
from paiza_node.features.workflows.service import WorkflowService
from paiza_node.features.workflows.steps import Steps
from paiza_node.ops.config import Config
from paiza_register import RegisterReader
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.cosignatures import WitnessSigner

Duty = Callable[[], Coroutine[Any, Any, None]]
"""Runs for as long as the node."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the builders build on. ``officers`` gives those of the moment, by id."""

    config: Config
    context: Context
    officers: Callable[[], dict[str, Officer]]
    desks: Desks
    blinder: Blinder
    reader: RegisterReader
    witness: WitnessSigner


@dataclass(frozen=True, slots=True)
class Attachments:
    """The room of attachments."""

    files: AttachmentFiles
    upload: Upload
    collect: Collect


@dataclass(frozen=True, slots=True)
class Exchange:
    """The verbs between nodes, and what officers hand to them."""

    submit: Submit
    approve: Approve
    forward: Forward
    late_holders: LateHolders
    receive: Receive
    duties: Duties
    give: Give


@dataclass(frozen=True, slots=True)
class Witness:
    """The room of witnesses."""

    witnessing: Witnessing
    gossip: LargestKnown
    answer: AnswerExchange
    show: Show
    upgrade: Upgrade
    thinning: Thinning
    judge: Judge
    convictions: Convictions


@dataclass(frozen=True, slots=True)
class Lawful:
    """The rooms of lawfulness and erasing."""

    facts: Facts
    erase: Erase
    holds: Holds
    reviews: Reviews
    retire: Retire


@dataclass(frozen=True, slots=True)
class Rooms:
    """All of it: ``behaviours`` by RPC, ``duties`` to be run; the rest is what the node's own figures are read from."""

    behaviours: Mapping[str, Any]
    duties: tuple[Duty, ...]
    peers: PeerDirectory
    queues: OutboundQueues
    upload: Upload
    collect: Collect
    witness: Witness
    fetch_back: FetchBack


def open_rooms(ground: Ground, channel_keys: ChannelKeys) -> Rooms:
    """Build every room. Nothing runs yet."""
    context, config = ground.context, ground.config

    peers = _peers(context, channel_keys)
    queues = OutboundQueues(context, peers)
    files = AttachmentFiles(config.data / "attachments")
    attachments = Attachments(
        files,
        Upload(ledger=context.ledger, store=context.store, files=files, clock=context.clock),
        Collect(context, files, peers=peers, life=config.delivery_life),
    )
    witness = _witness(ground, peers)
    exchange = _exchange(ground, peers)
    assign = Assign(
        node_id=context.node_id,
        ledger=context.ledger,
        store=context.store,
        news=context.news,
        desks=ground.desks,
        clock=context.clock,
    )
    index = Index(context, blinder=ground.blinder)
    lawful = Lawful(
        Facts(context, ground.desks, ground.officers),
        Erase(context, files, peers=peers, forget=attachments.collect.forget),
        Holds(context),
        Reviews(context),
        Retire(context, config.audit_retention),
    )
    consult = Consult(context, lawful.facts.catch_up)
    fetch_back = _recovery(ground, peers, exchange.receive, witness, files)
    context.ledger.changes.subscribe([
        queues,
        context.news,
        exchange.approve,
        assign,
        exchange.duties,
        attachments.collect,
        exchange.late_holders,
        index,
        lawful.erase,
    ])  # fmt: skip
    return Rooms(
        behaviours={
            **_behaviours(ground, exchange, attachments, assign, witness, lawful, consult),
            **_oversight(context, consult, peers),
        },
        duties=(
            context.ledger.changes.run,
            exchange.duties.run,
            index.run,
            peers.run,
            queues.run,
            attachments.collect.run,
            attachments.upload.keep_clean,
            assign.keep_watch,
            exchange.approve.keep_watch,
            exchange.late_holders.keep_watch,
            witness.show.run,
            witness.upgrade.run,
            witness.thinning.run,
            witness.convictions.run,
            lawful.facts.run,
            lawful.erase.run,
            lawful.reviews.remind,
            fetch_back.run,
            lawful.retire.run,
        ),
        peers=peers,
        queues=queues,
        upload=attachments.upload,
        collect=attachments.collect,
        witness=witness,
        fetch_back=fetch_back,
    )


def _peers(context: Context, keys: ChannelKeys) -> PeerDirectory:
    registers = context.registers

    def open_session(member: str) -> PeerSession:
        endpoints = Endpoints()
        return PeerSession(
            GrpcChannel(member, keys, lambda: registers.last, endpoints),
            GrpcChannel(member, keys, lambda: registers.last, endpoints, ATTACHMENT_OPTIONS),
            own_member=context.member,
            registers=registers,
            ledger=context.ledger,
            logs=context.logs,
            executor=context.lanes.deliver,
            clock=context.clock,
        )

    return PeerDirectory(context.member, registers, open_session)


def _recovery(
    ground: Ground, peers: PeerDirectory, receive: Receive, witness: Witness, files: AttachmentFiles
) -> FetchBack:
    cosigner = witness.witnessing.cosigner
    regains = Regains(
        ground.context,
        officers=ground.officers,
        desks=ground.desks,
        files=files,
        delivery_life=ground.config.delivery_life,
    )
    return FetchBack(
        ground.context,
        peers=peers,
        receive=receive,
        regains=regains,
        hold=lambda members: cosigner.hold_all() if members is None else cosigner.hold(members),
    )


def _witness(ground: Ground, peers: PeerDirectory) -> Witness:
    context = ground.context
    with context.store.reads() as reads:
        known = {fork_proofs.read_origin(stored.note): stored.size for stored in peers_store.known_logs(reads).values()}
        last, findings = witness_store.last_witnessed(reads), peers_store.findings(reads)
    newest = context.registers.newest_origin
    stands = [found for found in findings if found.state is FindingState.OPEN]
    condemned = {found.member for found in stands if found.origin == newest(found.member)}
    cosigner = Cosigner(known, condemned, {found.origin: found.forgiven_size for found in findings})
    judge = Judge(context.member, context.logs, findings)
    convictions = Convictions(context, judge, peers, condemn=cosigner.condemn, pardon=cosigner.pardon)
    gossip = LargestKnown(context.member, context.logs, lambda: context.registers.current, convictions.hear)
    witnessing = Witnessing(context, ground.witness, cosigner=cosigner, rounds=Rounds(last), gossip=gossip)
    answer = AnswerExchange(context, witnessing, suspect=peers.ask)
    return Witness(
        witnessing,
        gossip,
        answer,
        Show(context, witnessing, peers),
        Upgrade(context, peers),
        Thinning(context.ledger, context.store, context.clock),
        judge,
        convictions,
    )


def _exchange(ground: Ground, peers: PeerDirectory) -> Exchange:
    context, config = ground.context, ground.config
    steps = Steps(context.own_keys)
    standings = Standings(steps)
    submit = Submit(
        context,
        stages=_stages(ground, steps),
        officers=ground.officers,
        delivery_life=config.delivery_life,
        desks=ground.desks,
    )
    approve = Approve(context, submit=submit, officers=ground.officers)
    forward = Forward(context, delivery_life=config.delivery_life)
    late_holders = LateHolders(
        node_id=context.node_id, registers=context.registers, store=context.store, share=forward.share
    )
    receive = Receive(context, suspect=peers.ask, compared=peers.compared, desks=ground.desks)
    duties = Duties(
        member=context.member,
        store=context.store,
        steps=steps,
        standings=standings,
        news=context.news,
        clock=context.clock,
        ask=Ask(registers=context.registers, peers=peers, receive=receive),
        share=forward.share,
    )
    give = Give(context, standings=standings, share=forward.share)
    return Exchange(submit, approve, forward, late_holders, receive, duties, give)


def _stages(ground: Ground, steps: Steps) -> tuple[ReleaseStage, ...]:
    """Return what takes part in a release, in the order in which it is asked; approvals are the last."""
    context = ground.context

    def active() -> set[str]:
        return {each.id for each in context.registers.current.active_members()}

    return (
        recall_stage(context.member, active),
        erasure_stage(context.member, active),
        OperationLimits(context.own_keys).stage(),
        workflow_stage(steps),
        inherited_markings_stage(lambda: context.registers.policy),
        attachment_stage(),
        approval_stage(ground.config.approval_life),
    )


def _oversight(context: Context, consult: Consult, peers: PeerDirectory) -> Mapping[str, Any]:
    """Give what each RPC of oversight does."""
    periods = Periods(context, peers)
    relay = Relay(context, consult, peers)
    return {
        **oversight_behaviours(consult, periods),
        **coordination_behaviours(relay, periods, lambda: context.registers.policy, context.member),
    }


def _behaviours(
    ground: Ground,
    exchange: Exchange,
    attachments: Attachments,
    assign: Assign,
    witness: Witness,
    lawful: Lawful,
    consult: Consult,
) -> Mapping[str, Any]:
    """Give what each RPC does."""
    context = ground.context
    disclose = Disclose(context)
    search = Search(context, ground.blinder)
    officers = OfficerService(
        context,
        submit=exchange.submit,
        disclose=disclose,
        duties=exchange.duties,
        pending=Pending(store=context.store, desks=ground.desks, clock=context.clock),
        search=search,
        version=VERSION,
        protocol_version=PROTOCOL_VERSION,
    )
    workflows = WorkflowService(
        store=context.store, duties=exchange.duties, entitled=officers.may_know_of, clock=context.clock
    )
    hand_out = HandOut(
        store=context.store, files=attachments.files, disclose=disclose, waiting=exchange.approve.shown_to
    )
    holders = Holders(member=context.member, store=context.store)
    audit = Audit(
        registers=context.registers,
        ledger=context.ledger,
        store=context.store,
        convictions=witness.judge.convictions,
    )
    return {
        **exchange_behaviours(exchange.receive, exchange.give),
        **approval_behaviours(exchange.approve),
        **desk_behaviours(assign, context.clock),
        **attachment_behaviours(attachments.upload, hand_out),
        **officers.behaviours(),
        **workflows.behaviours(),
        **audit_behaviours(audit, consult.note),
        **lawful_behaviours(Erasures(context), lawful.holds, lawful.reviews),
        **passing_behaviours(exchange.forward, Export(context), holders, audit.check_sees),
        **register_behaviours(ground.reader),
        **recovery_behaviours(GiveBack(context)),
        **witness_behaviours(witness.answer, ProveEntries(context.ledger, context.store)),
        **SearchService(search, context.store).behaviours(),
    }
