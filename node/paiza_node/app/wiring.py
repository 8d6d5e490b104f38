"""Wiring: the services and background tasks of a node, built and connected in one place.

Each builder makes the services of one capability from the core and from the capabilities it needs. Services that act on
committed data subscribe to the ledger's changes (`core.log.changes`): nothing is connected later.
"""

import asyncio
from datetime import datetime
from functools import partial

from paiza_node.app.services import Attachments, Dependencies, Exchange, Retention, Services, Witness
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.access.denials import Denials
from paiza_node.core.access.open import OpenAuthorizer
from paiza_node.core.access.threads import ThreadAccess
from paiza_node.core.api.connections import Connections
from paiza_node.core.api.enrolment_server import EnrolmentListener
from paiza_node.core.api.exchange_service import ExchangeService
from paiza_node.core.api.issuer_server import IssuerChannel
from paiza_node.core.api.register_service import RegisterService
from paiza_node.core.api.services import Service
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.receive.arrivals import Arrivals
from paiza_node.core.exchange.receive.receive import Receive
from paiza_node.core.exchange.send.exercises import exercise_stage
from paiza_node.core.exchange.send.known_threads import KNOWN_THREADS
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.exchange.send.submit import Submit
from paiza_node.core.exchange.send.trial import Trial
from paiza_node.core.exchange.stages import ReleaseStage
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.blocks import PeerBlocks
from paiza_node.core.peers.channels import ATTACHMENT_OPTIONS, GrpcChannel
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.log_answers import LogAnswers
from paiza_node.core.peers.model import FindingState
from paiza_node.core.peers.rpcs import PROTOCOL_VERSION
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.core.version import VERSION
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.pending import approval_stage, named_ciphertexts
from paiza_node.features.approvals.service import ApprovalService
from paiza_node.features.attachments import attached
from paiza_node.features.attachments.acknowledge import attachment_answers
from paiza_node.features.attachments.attached import attachment_stage
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.serve import AttachmentServer
from paiza_node.features.attachments.service import AttachmentFetchService, AttachmentService
from paiza_node.features.attachments.upload import Upload
from paiza_node.features.audit.log_index import LogIndex
from paiza_node.features.audit.service import AuditService
from paiza_node.features.audit.trail import Audit
from paiza_node.features.ceremonies.pass_on import PassOn
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_node.features.ceremonies.service import CeremonyService, ProposalService
from paiza_node.features.deputies.deputies import Deputies
from paiza_node.features.deputies.service import DeputyService
from paiza_node.features.directory.publish import PublishDirectory
from paiza_node.features.directory.service import DirectoryService
from paiza_node.features.enrolment.ask_issuer import AskIssuer
from paiza_node.features.enrolment.enrol import Enrol
from paiza_node.features.enrolment.expected import expected_until
from paiza_node.features.enrolment.renew import Renew
from paiza_node.features.enrolment.service import RenewalService
from paiza_node.features.forwarding import grants
from paiza_node.features.forwarding.export import Export
from paiza_node.features.forwarding.forward import Forward
from paiza_node.features.forwarding.holders import Holders
from paiza_node.features.forwarding.inherited_markings import inherited_markings_stage
from paiza_node.features.forwarding.notify_new_holders import NotifyNewHolders
from paiza_node.features.forwarding.operation_limits import OperationLimits
from paiza_node.features.forwarding.service import ForwardingService
from paiza_node.features.inbox.notices import PendingNotices
from paiza_node.features.inbox.open_part import OpenPart
from paiza_node.features.inbox.open_together import OpenTogether
from paiza_node.features.inbox.service import OfficerService
from paiza_node.features.inbox.source_rows import FindSourceRows
from paiza_node.features.inbox.subjects import ShowSubjects
from paiza_node.features.inbox.watches import Watches
from paiza_node.features.peer_audit.consult import Consult
from paiza_node.features.peer_audit.reconciliation import Reconciliation
from paiza_node.features.peer_audit.relay import Relay
from paiza_node.features.peer_audit.service import AuditQueryService, PeerAuditService
from paiza_node.features.recalls import recalls
from paiza_node.features.recalls.recalls import recall_stage
from paiza_node.features.recovery.progress import RecoveryHold
from paiza_node.features.recovery.recovered_messages import RecoveredMessages
from paiza_node.features.recovery.restore_from_peers import RestoreFromPeers
from paiza_node.features.recovery.serve_peer import ServePeer
from paiza_node.features.recovery.service import RecoveryService
from paiza_node.features.retention.acknowledge import erasure_answers
from paiza_node.features.retention.erase import Erase
from paiza_node.features.retention.erasure_status import ErasureStatus
from paiza_node.features.retention.holds import Holds
from paiza_node.features.retention.log_retention import LogRetention
from paiza_node.features.retention.requests import erasure_stage
from paiza_node.features.retention.reviews import Reviews
from paiza_node.features.retention.service import RetentionService
from paiza_node.features.search.index import Index
from paiza_node.features.search.saved import SavedSearches, store_matches
from paiza_node.features.search.search import Search
from paiza_node.features.search.service import SearchService
from paiza_node.features.tasks.asked import asked_stage
from paiza_node.features.tasks.assign import Assign
from paiza_node.features.tasks.service import TaskService
from paiza_node.features.tasks.settle import SettleSteps
from paiza_node.features.tasks.shift_notes import ShiftNotes
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.consistency_monitor import ConsistencyMonitor
from paiza_node.features.witness.cosigned_entries import CosignedEntries
from paiza_node.features.witness.cosigning import Cosigner
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.gossip import LargestKnown
from paiza_node.features.witness.misbehaviour import MisbehaviourRecorder
from paiza_node.features.witness.prove import ProveEntries
from paiza_node.features.witness.prune import Prune
from paiza_node.features.witness.rounds import Rounds
from paiza_node.features.witness.service import WitnessService
from paiza_node.features.witness.submit_checkpoints import SubmitCheckpoints
from paiza_node.features.witness.upgrade_proofs import UpgradeProofs
from paiza_node.features.workflows.backfill import BackfillFetch, BackfillServe
from paiza_node.features.workflows.deadlines import WorkflowDeadlines
from paiza_node.features.workflows.legality import WorkflowStates, workflow_stage
from paiza_node.features.workflows.service import BackfillService, WorkflowService
from paiza_node.features.workflows.steps import Steps
from paiza_node.ops.tables import KEPT_PROOFS, LIFECYCLES
from paiza_wire.tlog import fork_proofs


def build_services(dependencies: Dependencies, identity: TlsIdentity, connections: Connections) -> Services:
    """Build all services. Nothing runs yet."""
    core, config = dependencies.core, dependencies.config

    with core.store.reads() as reads:
        blocks = PeerBlocks(peers_store.peer_blocks(reads))
    peers = _peers(core, identity, blocks)
    queues = OutboundQueues(core, peers, CosignedEntries(core.ledger))
    files = AttachmentFiles(config.data / "attachments")
    attachments = Attachments(
        files,
        Upload(
            ledger=core.ledger,
            store=core.store,
            files=files,
            clock=core.clock,
            unreleased=named_ciphertexts,
            may_act=lambda officer: dependencies.officers.may_act(
                officer, core.register_cache.last.certificate_verifier(), core.clock()
            ),
        ),
        AttachmentDownloads(core, files, peers=peers, life=config.delivery_life),
    )
    hold = RecoveryHold()
    witness = _witness(dependencies, peers, hold)
    exchange = _exchange(dependencies, peers)
    assign = Assign(
        node_id=core.node_id,
        ledger=core.ledger,
        store=core.store,
        notifier=core.notifier,
        unit_directory=dependencies.unit_directory,
        clock=core.clock,
    )
    consultations = Consultations(core.ledger, core.clock)
    search = Search(core, consultations, dependencies.token_key)
    saved = SavedSearches(core, search, dependencies.token_key, dependencies.officers.acting)
    index = Index(
        core,
        token_key=dependencies.token_key,
        new_messages=dependencies.new_messages,
        compare=saved.compared,
        store_matches=store_matches,
    )
    log_index = LogIndex(core, dependencies.unit_directory, dependencies.officers.officers)
    retention = Retention(
        Erase(core, files, lifecycles=LIFECYCLES, peers=peers, forget=attachments.downloads.forget),
        Holds(core),
        Reviews(core),
        LogRetention(core, LIFECYCLES, config.audit_retention),
    )
    consult = Consult(core, consultations, log_index.catch_up)
    proposals = Proposals(core, dependencies.reader)
    pass_on = PassOn(core, proposals, peers)
    directory = PublishDirectory(core)
    deputies = Deputies(core, dependencies.officers, dependencies.unit_directory)
    restore_from_peers = _recovery(dependencies, peers, exchange.receive, hold, files)
    issuer = _issuer(dependencies, witness)
    enrolment = None if issuer is None else _enrolment(dependencies, identity, issuer, connections)
    watches = Watches(core.store, core.notifier)
    core.ledger.changes.subscribe([
        dependencies.officers,
        deputies,
        *([] if enrolment is None else [enrolment]),
        queues,
        watches,
        exchange.approve,
        assign,
        exchange.deadlines,
        attachments.downloads,
        exchange.notify_new_holders,
        index,
        saved,
        retention.erase,
        proposals,
    ])  # fmt: skip
    return Services(
        handlers=(
            *_handlers(
                dependencies,
                exchange,
                attachments,
                assign,
                witness,
                retention,
                consult,
                consultations,
                watches,
                search,
                saved,
            ),
            *_peer_audit_handlers(core, consult, peers),
            CeremonyService(proposals),
            ProposalService(proposals),
            DirectoryService(directory),
            DeputyService(deputies),
            RenewalService(None if issuer is None else Renew(core, dependencies.officers, issuer)),
        ),
        background_tasks=(
            dependencies.officers.task.run,
            deputies.task.run,
            *([] if enrolment is None else [enrolment.task.run]),
            peers.run,
            queues.run,
            attachments.downloads.run,
            witness.submit_checkpoints.run,
            witness.checkpoint_exchange.task.run,
            witness.upgrade_proofs.run,
            restore_from_peers.run,
            core.ledger.changes.task.run,
            exchange.deadlines.task.run,
            index.task.run,
            attachments.upload.task.run,
            assign.task.run,
            exchange.approve.task.run,
            exchange.notify_new_holders.task.run,
            witness.prune.task.run,
            witness.misbehaviour.task.run,
            log_index.task.run,
            retention.erase.task.run,
            retention.reviews.task.run,
            retention.log_retention.task.run,
            proposals.task.run,
            pass_on.task.run,
        ),
        peers=peers,
        blocks=blocks,
        queues=queues,
        upload=attachments.upload,
        downloads=attachments.downloads,
        witness=witness,
        restore_from_peers=restore_from_peers,
        proposals=proposals,
        directory=directory,
        issuer=issuer,
        enrolment=enrolment,
    )


def _issuer(dependencies: Dependencies, witness: Witness) -> AskIssuer | None:
    """Return the member's issuer, if the configuration names its socket."""
    socket = dependencies.config.issuer_socket
    if socket is None:
        return None
    rounds = witness.checkpoint_exchange.rounds
    return AskIssuer(dependencies.core, IssuerChannel(socket), dependencies.reader, rounds)


def _enrolment(
    dependencies: Dependencies, identity: TlsIdentity, issuer: AskIssuer, connections: Connections
) -> EnrolmentListener:
    """Return the listener at which invited persons enrol."""
    core, config = dependencies.core, dependencies.config
    enrol = Enrol(core, dependencies.officers, issuer, dependencies.reader.bootstrap_root)

    def until() -> datetime | None:
        with core.store.reads() as reads:
            return expected_until(reads, core.clock())

    return EnrolmentListener(
        config.enrol_listen, enrol.enrol, partial(asyncio.to_thread, until), identity, core.clock, connections
    )


def _peers(core: Core, identity: TlsIdentity, blocks: PeerBlocks) -> PeerDirectory:
    register_cache = core.register_cache

    def open_session(member: str) -> PeerSession:
        endpoints = Endpoints()
        return PeerSession(
            GrpcChannel(member, identity, lambda: register_cache.last, endpoints, clock=core.clock),
            GrpcChannel(member, identity, lambda: register_cache.last, endpoints, ATTACHMENT_OPTIONS, clock=core.clock),
            own_member=core.member,
            register_cache=register_cache,
            ledger=core.ledger,
            logs=core.logs,
            executor=core.executors.deliver,
            clock=core.clock,
        )

    return PeerDirectory(core.member, register_cache, open_session, blocks)


def _recovery(
    dependencies: Dependencies, peers: PeerDirectory, receive: Receive, hold: RecoveryHold, files: AttachmentFiles
) -> RestoreFromPeers:
    recovered_messages = RecoveredMessages(
        dependencies.core,
        officers=dependencies.officers.officers,
        unit_directory=dependencies.unit_directory,
        reactions=dependencies.reactions,
        files=files,
        delivery_life=dependencies.config.delivery_life,
    )
    return RestoreFromPeers(
        dependencies.core,
        peers=peers,
        receive=receive,
        recovered_messages=recovered_messages,
        hold=hold,
    )


def _witness(dependencies: Dependencies, peers: PeerDirectory, hold: RecoveryHold) -> Witness:
    core = dependencies.core
    with core.store.reads() as reads:
        known = {fork_proofs.read_origin(stored.note): stored.size for stored in peers_store.known_logs(reads).values()}
        last, findings = witness_store.last_witnessed(reads), peers_store.findings(reads)
    newest = core.register_cache.newest_origin
    stands = [found for found in findings if found.state is FindingState.OPEN]
    distrusted = {found.member for found in stands if found.origin == newest(found.member)}
    decided = {found.origin: found.accepted_up_to for found in findings}
    cosigner = Cosigner(known, distrusted, decided, hold=hold)
    monitor = ConsistencyMonitor(core.member, core.logs, findings)
    misbehaviour = MisbehaviourRecorder(
        core, monitor, peers, distrust=cosigner.distrust, restore_trust=cosigner.restore_trust
    )
    gossip = LargestKnown(
        core.member, core.logs, lambda: core.register_cache.current, core.clock, misbehaviour.queue_report
    )
    checkpoint_exchange = CheckpointExchange(
        core, dependencies.witness, cosigner=cosigner, rounds=Rounds(last), gossip=gossip
    )
    answer_exchange = AnswerExchange(core, checkpoint_exchange, suspect=peers.ask)
    return Witness(
        checkpoint_exchange,
        gossip,
        answer_exchange,
        SubmitCheckpoints(core, checkpoint_exchange, peers),
        UpgradeProofs(core, KEPT_PROOFS, peers),
        Prune(core.ledger, core.store, core.clock),
        monitor,
        misbehaviour,
    )


def _exchange(dependencies: Dependencies, peers: PeerDirectory) -> Exchange:
    core, config = dependencies.core, dependencies.config
    steps = Steps(core.decryption_keys)
    workflow_states = WorkflowStates(steps)
    submit = Submit(
        core,
        stages=_stages(dependencies, steps),
        reactions=dependencies.reactions,
        officers=dependencies.officers,
        delivery_life=config.delivery_life,
        unit_directory=dependencies.unit_directory,
    )
    approve = Approve(core, submit=submit, officers=dependencies.officers.officers)
    forward = Forward(core, delivery_life=config.delivery_life)
    notify_new_holders = NotifyNewHolders(
        node_id=core.node_id, register_cache=core.register_cache, store=core.store, share=forward.share
    )
    receive = Receive(
        core,
        suspect=peers.ask,
        arrivals=Arrivals(
            node_id=core.node_id, unit_directory=dependencies.unit_directory, reactions=dependencies.reactions
        ),
        piggybacks=(
            attachment_answers(core.member, core.node_id),
            erasure_answers(core.member, core.node_id),
        ),
        check_grant=partial(grants.check, decryption_keys=core.decryption_keys),
    )
    log_answers = LogAnswers(
        core.ledger,
        core.logs,
        executor=core.executors.receive,
        register_state=lambda: core.register_cache.state,
        note_state=core.register_cache.note_state,
        suspect=peers.ask,
        compared=peers.compared,
        heard=peers.heard,
        clock=core.clock,
    )
    deadlines = WorkflowDeadlines(
        member=core.member,
        store=core.store,
        steps=steps,
        workflow_states=workflow_states,
        notifier=core.notifier,
        clock=core.clock,
        ask=BackfillFetch(register_cache=core.register_cache, peers=peers, receive=receive),
        share=forward.share,
        settle=SettleSteps(node_id=core.node_id, ledger=core.ledger, store=core.store),
    )
    backfill_serve = BackfillServe(
        core, workflow_states=workflow_states, share=forward.share, cosigned=CosignedEntries(core.ledger)
    )
    return Exchange(submit, approve, forward, notify_new_holders, receive, log_answers, deadlines, backfill_serve)


def _stages(dependencies: Dependencies, steps: Steps) -> tuple[ReleaseStage, ...]:
    """Return the stages of a release, in the order of evaluation; approvals are the last."""
    core = dependencies.core

    def active() -> set[str]:
        return {each.id for each in core.register_cache.current.active_members()}

    return (
        KNOWN_THREADS,
        exercise_stage(lambda: core.register_cache.current.exercise),
        recall_stage(core.member, active),
        erasure_stage(core.member, active),
        OperationLimits(core.decryption_keys).stage(),
        workflow_stage(steps),
        asked_stage(core.decryption_keys),
        inherited_markings_stage(lambda: core.register_cache.policy),
        attachment_stage(),
        approval_stage(dependencies.config.approval_life),
    )


def _peer_audit_handlers(core: Core, consult: Consult, peers: PeerDirectory) -> tuple[Service, ...]:
    """Return the handlers of peer audit."""
    reconciliation = Reconciliation(core, peers)
    relay = Relay(core, consult, peers)
    return (
        PeerAuditService(consult, reconciliation),
        AuditQueryService(relay, reconciliation, lambda: core.register_cache.policy, core.member),
    )


def _handlers(
    dependencies: Dependencies,
    exchange: Exchange,
    attachments: Attachments,
    assign: Assign,
    witness: Witness,
    retention: Retention,
    consult: Consult,
    consultations: Consultations,
    watches: Watches,
    search: Search,
    saved: SavedSearches,
) -> tuple[Service, ...]:
    """Return the handlers for nodes and officers, except those of peer audit."""
    core = dependencies.core
    open_rules = (recalls.open_rule, attached.open_rule(core.member))
    show_subjects = ShowSubjects(core, consultations, open_rules)
    may_know_of = ThreadAccess(core.register_cache, core.store)
    officers = OfficerService(
        core,
        submit=exchange.submit,
        trial=Trial(core, submit=exchange.submit, note_denial=Denials(core.ledger, core.clock).note),
        open_part=OpenPart(core, open_rules),
        open_together=OpenTogether(core, open_rules),
        show_subjects=show_subjects,
        deadlines=exchange.deadlines,
        pending=PendingNotices(
            store=core.store, unit_directory=dependencies.unit_directory, clock=core.clock, matches=saved.pending
        ),
        search=search,
        find_source_rows=FindSourceRows(core, dependencies.unit_directory),
        may_know_of=may_know_of,
        watches=watches,
        version=VERSION,
        protocol_version=PROTOCOL_VERSION,
    )
    workflows = WorkflowService(
        member=core.member,
        store=core.store,
        deadlines=exchange.deadlines,
        entitled=may_know_of,
        may_open=OpenAuthorizer(core, ()).may_open,  # a route is known before all attachments of its step have come
        clock=core.clock,
    )
    attachment_server = AttachmentServer(
        store=core.store,
        files=attachments.files,
        authorizer=OpenAuthorizer(core, open_rules),
        pending=exchange.approve.shown_to,
    )
    holders = Holders(member=core.member, store=core.store)
    audit = Audit(
        register_cache=core.register_cache,
        ledger=core.ledger,
        store=core.store,
        misbehaviour=witness.monitor.misbehaviour,
        clock=core.clock,
    )
    return (
        ExchangeService(exchange.receive, exchange.log_answers),
        BackfillService(exchange.backfill_serve),
        AttachmentFetchService(attachment_server),
        ApprovalService(exchange.approve),
        TaskService(assign, ShiftNotes(core.ledger, core.store), show_subjects.with_proof, core.clock),
        AttachmentService(attachments.upload, attachment_server),
        officers,
        workflows,
        AuditService(audit, consult.note),
        RetentionService(ErasureStatus(core), retention.holds, retention.reviews),
        ForwardingService(exchange.forward, Export(core), holders, audit.check_known),
        RegisterService(dependencies.reader),
        RecoveryService(ServePeer(core, CosignedEntries(core.ledger))),
        WitnessService(witness.answer_exchange, ProveEntries(core.ledger, core.store)),
        SearchService(search, saved, core.store),
    )
