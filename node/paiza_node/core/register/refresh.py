"""The updates of the register: what other members announce is fetched, and what this node publishes is announced.

In rounds, one a second, and one at once when a member announces another register than this node's:

1. Who was heard, and what they announced, goes to the publisher.
2. From each member that announced another register, the newer set is fetched and put into force. A set that cannot be
   accepted, since another publisher made it at the same time, goes to the publisher, which merges it. Another root of a
   known version is shown to the reader, which proves a fork. Proofs of misbehaviour are passed on.
3. Older versions that messages name are fetched and archived.
4. What the publisher decides to publish is accepted here, and so stored, before others can see it; then all others are
   told, before the next in order takes its turn.
5. A member that was silent for a while is asked what it holds, beside the rounds: so all have a new version within a
   minute, also while no register is in force. One that answers, but not this, is asked for files: it does so if it
   suspended this member.

Sets with new content are taken from others within an `Allowance`, those that are put into force and those that only
messages name. A member that answers slowly, or with what does not verify, is left alone for a while, so that no member
keeps the rounds waiting for long; one that could not be reached, until it announces something again. A crash loses
nothing: a set is stored before it is in force, and what waits to be published is submitted again by whom it came from.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from time import monotonic
from typing import Final

import structlog

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import register_pb2
from paiza_node.core.errors import NodeStopped
from paiza_node.core.executors.periodic import backoff
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.register.fetch import Allowance, RegisterSource, fetcher, first_other_root
from paiza_node.core.register.revoking import Fingerprints, store_revocation
from paiza_node.core.register.state import announced_time
from paiza_node.core.register.sync import RegisterCache
from paiza_register import Fetch, FetchMissing, RegisterReader
from paiza_register.open_set import OpenSet
from paiza_register.pair_key import PairSigner
from paiza_register.publisher import Publisher, WaitingChange
from paiza_register.publishing import SIGN_AGAIN, node_role_signed
from paiza_register.roles import node_role_of
from paiza_register.succession import follows
from paiza_register.tuf_workflow import MAX_METADATA_BYTES, TIMESTAMP_PATH
from paiza_wire.errors import PaizaError, Rejected, Unavailable

ROUND_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 30.0  # then a member is asked what it holds
LEAST_SECONDS: Final = 2.0  # between two fetches from one member, whatever it announces
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
PATIENCE: Final = 5.0  # a member is left alone so many times as long as it kept this node waiting
REVOCATIONS_SECONDS: Final = 3600.0  # between two attempts to sign the node's role anew because it expires
MAX_COMPARED: Final = 1000  # roots of others that are remembered as compared
UNSIGNED_SECONDS: Final = 60.0  # after which a key that could not be opened is tried again
PUBLISHED_SECONDS: Final = 15.0  # that a revocation waits for its publication; its caller waits for 30

log = structlog.get_logger("paiza.register")


@dataclass(frozen=True, slots=True)
class NewDirectory:
    """A directory of the own member to be published, liaison.json, in place of the one with this SHA-256.

    ``base_sha256`` is empty if it is the first one.
    """

    data: bytes
    base_sha256: bytes

    def is_due(self, published: bytes | None) -> bool:
        """Return whether it is to take the place of what is published: not after a restore, if others came since."""
        base = b"" if published is None else sha256(published).digest()
        return published != self.data and base == self.base_sha256


@dataclass
class _Member:
    """What is remembered of a member. Times are seconds of the monotonic clock; ``handled`` are both sides' states."""

    heard: float = float("-inf")
    greeted: float = float("-inf")
    left_alone_until: float = float("-inf")
    unreachable_until: float = float("-inf")
    not_learnt_from_until: float = float("-inf")
    failures: int = 0
    serves_files_only: bool = False
    handled: tuple[bytes, bytes] | None = None


class RegisterRefresh:
    """Keeps the register of one node up to date. Belongs to one event loop."""

    def __init__(
        self,
        cache: RegisterCache,
        reader: RegisterReader,
        ledger: Ledger,
        *,
        sources: Callable[[], Mapping[str, RegisterSource]],
        publisher: Publisher | None,
        clock: Callable[[], datetime],
        revocations_key: Callable[[], PairSigner],
        directory: Callable[[], NewDirectory | None] = lambda: None,
        changes: Callable[[], Iterable[Mapping[str, bytes]]] = tuple,
        revoking: Iterable[Fingerprints] = (),
    ) -> None:
        """Store the collaborators.

        ``sources`` returns the members that can be asked, by id; ``publisher`` is None if the node has no key to
        publish with. ``revocations_key`` opens the pair that signs the role of the own node: its member's revocations
        and directory. ``directory`` returns the last directory that an officer published. ``changes`` returns the
        changes that are signed completely and known to others too. ``revoking`` are the revocations that were asked
        for before the start.
        """
        self.publisher = publisher
        self._cache = cache
        self._reader = reader
        self._ledger = ledger
        self._sources = sources
        self._clock = clock
        self._changes = changes
        self._revocations_key = revocations_key
        self._directory = directory
        self._revocations_from = float("-inf")
        self._directory_from = float("-inf")
        self._revoking = list(revoking)
        self._loop = asyncio.get_running_loop()
        self._members: dict[str, _Member] = {}
        self._submitted: list[Mapping[str, bytes]] = []
        self._compared_roots: set[bytes] = set()
        self._logged = b""
        self._heard: dict[str, tuple[register_pb2.RegisterState, datetime]] = {}
        self._taken, self._learnt = Allowance(), Allowance()
        self._greetings: set[asyncio.Task[PaizaError | None]] = set()
        self._rounds = 0
        self._ended = asyncio.Event()
        self._publishes_from = float("-inf")

    def submit(self, change: Mapping[str, bytes]) -> None:
        """Publish a change that was submitted at this node and is signed completely."""
        self._submitted.append(change)
        self._cache.asked.set()

    async def revoke(self, fingerprints: Fingerprints) -> bytes:
        """Add a certificate to the own member's revocations and publish them; return the register version with it.

        ``fingerprints``: SHA-256 of the certificate and of its key. Empty if the register has it already.
        Unavailable("publication_pending") if it could not be published yet; it is published as soon as it can be, also
        after a restart.
        """
        if self.publisher is None or self.publisher.rank is None:
            raise Rejected("forbidden", "the register does not name this node as a publisher")
        member, held = self.publisher.member, self.publisher.held
        known = held.register.revocations.get(member, frozenset())
        if set(fingerprints) <= known:
            return b""
        await asyncio.to_thread(self._revocations_key)  # it can be opened: the next round signs with it
        if fingerprints not in self._revoking:
            self._revoking.append(fingerprints)
            # If we crash here, the caller was not answered; after it the next start asks for it.
            await self._ledger.commit(lambda tx: store_revocation(tx, fingerprints, known))
        self._cache.asked.set()
        until = monotonic() + PUBLISHED_SECONDS
        while not set(fingerprints) <= self._cache.last.revocations.get(member, frozenset()):
            if monotonic() >= until:
                raise Unavailable("publication_pending", "the revocation waits to be published")
            await self._ended.wait()
        return self._cache.version

    def publication(self) -> admin_pb2.GetPublicationResponse:
        """Return what this node knows of the publication of the register."""
        publisher = self.publisher
        rank = None if publisher is None else publisher.rank
        found = admin_pb2.GetPublicationResponse(
            place=0 if rank is None else rank + 1,
            failure_reason=publisher.failure.reason if publisher is not None and publisher.failure else "",
        )
        for each in () if publisher is None else publisher.waiting:
            shown = found.waiting.add(reason=each.reason.reason if each.reason is not None else "")
            shown.since_time.FromDatetime(each.since)
            shown.roles.extend(sorted(each.roles))
        for member, (state, time) in sorted(self._heard.items()):
            heard = found.announced.add(
                member=member, register_version=state.register_version, timestamp_version=state.timestamp_version
            )
            heard.heard_time.FromDatetime(time)
        return found

    async def ask_all(self) -> Mapping[str, str]:
        """Ask all other members what they hold, and fetch what is newer.

        Return the reason code of each member that did not answer, by member.
        """
        reasons: dict[str, str] = {}
        for known in self._members.values():
            known.left_alone_until = known.unreachable_until = known.not_learnt_from_until = float("-inf")
            known.handled = None
        self._taken.reset()
        sources = self._sources()
        greeted = await asyncio.gather(*(self._greet(member, source) for member, source in sources.items()))
        for member, error in zip(sources, greeted, strict=True):
            if error is not None:
                reasons[member] = error.reason
        until = self._rounds + 2  # the round that runs now may have begun before
        self._cache.asked.set()
        while self._rounds < until:
            self._cache.asked.set()
            await self._ended.wait()
        return reasons

    async def run(self) -> None:
        """Run round after round as long as the node runs."""
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._cache.asked.wait(), ROUND_SECONDS)
                self._cache.asked.clear()
                await self._ended_round()
        finally:
            for greeting in self._greetings:
                greeting.cancel()

    async def _ended_round(self) -> None:
        """Do a round; one that fails ends too."""
        try:
            await self._round()
        except PaizaError as error:
            log.warning("register_not_refreshed", reason=error.reason, detail=error.detail)
        except OSError as error:  # our own disk failed: the register in force stays in force
            log.warning("register_not_refreshed", reason="disk_full", detail=error.strerror)
        self._rounds += 1
        ended, self._ended = self._ended, asyncio.Event()
        ended.set()

    async def _round(self) -> None:
        # 1.
        announced = self._cache.take_announced()
        for member, state in announced.items():
            known = self._member(member)
            known.heard, known.unreachable_until = monotonic(), float("-inf")  # it is back
            self._heard[member] = state, self._clock()
            if self.publisher is not None and member in self._cache.last.members:  # one that is unusable counts as away
                self.publisher.hear(member, state.timestamp_version, announced_time(state), self._clock())
        # 2.
        sources = self._sources()
        for member, (state, _time) in list(self._heard.items()):  # also one that was left alone when it announced this
            if member in sources and self._is_to_be_asked(member, state):
                await self._take_from(member, sources[member], state)
        # 3.
        for version in self._cache.take_wanted():
            if self._learnt.is_left(monotonic()):  # the others are wanted again when their messages are
                await self._learn(version, sources)
        await self._follow()  # changes nothing unless an earlier change could not be put into force or logged
        # 4.
        await self._publish()
        # 5.
        for member, source in sources.items():
            known = self._member(member)
            if known.serves_files_only and monotonic() >= known.left_alone_until:
                await self._take_files(known, source)
            if self._is_silent(member):
                self._begin_greeting(member, source)

    def _member(self, member: str) -> _Member:
        return self._members.setdefault(member, _Member())

    def _is_to_be_asked(self, member: str, state: register_pb2.RegisterState) -> bool:
        if state.register_version != self._cache.version and not self._taken.is_left(monotonic()):
            return False
        known = self._member(member)
        since = max(known.left_alone_until, known.unreachable_until)
        return self._cache.differs(state) and monotonic() >= since and known.handled != self._both(state)

    def _both(self, state: register_pb2.RegisterState) -> tuple[bytes, bytes]:
        """Return what names both sides' registers, without their proposals and the time."""
        both = []
        for each in (state, self._cache.state):
            held = register_pb2.RegisterState()
            held.CopyFrom(each)
            held.ClearField("proposals_sha256")
            held.ClearField("state_time")
            both.append(held.SerializeToString(deterministic=True))
        return both[0], both[1]

    async def _take_from(self, member: str, source: RegisterSource, state: register_pb2.RegisterState) -> None:
        """Fetch what a member announced, and accept it or hand it to the publisher."""
        known, began = self._member(member), monotonic()
        known.left_alone_until = began + LEAST_SECONDS
        try:
            await self._fetch_newer(source, state)
        except (PaizaError, FetchMissing) as caught:
            error = caught if isinstance(caught, PaizaError) else Unavailable("register_unavailable", str(caught))
            known.failures += 1
            pause = backoff(known.failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            if error.reason == "peer_unreachable":
                known.unreachable_until = monotonic() + pause
                known.left_alone_until = max(known.left_alone_until, _patience(began))
            else:
                known.left_alone_until = max(monotonic() + pause, _patience(began))
            log.warning("register_not_fetched", peer=member, reason=error.reason, detail=error.detail)
            return
        except Exception:  # no answer of one peer may end the node
            known.left_alone_until = monotonic() + LONGEST_PAUSE_SECONDS
            log.exception("register_not_fetched", peer=member)
            return
        known.failures, known.handled = 0, self._both(state)
        known.left_alone_until = max(known.left_alone_until, _patience(began))

    async def _fetch_newer(self, source: RegisterSource, state: register_pb2.RegisterState) -> None:
        if await asyncio.to_thread(self._is_behind, state):
            await self._take_proofs(source, state)
            return
        failure: PaizaError | None = None
        try:
            await asyncio.to_thread(self._reader.refresh, self._clock(), self._fetcher(source))
        except PaizaError as error:
            failure = error
        failure = failure or self._reader.last_error
        await self._follow()
        await self._compare_roots(source, state)
        await self._take_proofs(source, state)
        if self._cache.version != state.register_version:
            await self._see_other(source, state)
        elif failure is not None and self._cache.differs(state):
            raise failure

    def _is_behind(self, state: register_pb2.RegisterState) -> bool:
        """Return whether the set in force follows what another announces, which is archived here.

        A set that was archived may not have been merged: a message named it, or this node stopped meanwhile.
        """
        try:
            archived = self._reader.archived(state.register_version)
        except Unavailable:
            return False
        return (
            archived.version != self._cache.version
            and state.timestamp_version <= archived.timestamp_version
            and follows(self._cache.verified, archived)
        )

    async def _see_other(self, source: RegisterSource, state: register_pb2.RegisterState) -> None:
        """Hand a set to the publisher that the reader did not accept, as it is there now."""
        if self.publisher is None:
            return
        version = bytes(state.register_version)
        fetch = self._fetcher(source, version)

        def opened() -> OpenSet:
            try:
                files = self._reader.archived_files(version)
            except Unavailable:
                self._reader.import_set(version, fetch)
                self._taken.spend(monotonic())
                files = self._reader.archived_files(version)
            with suppress(FetchMissing):  # it may have gone on meanwhile
                files = {**files, TIMESTAMP_PATH: fetch(TIMESTAMP_PATH, MAX_METADATA_BYTES)}
            return OpenSet.verify(files, self._reader.bootstrap_root, None)

        other = await asyncio.to_thread(opened)
        if other.register.version == version:
            self.publisher.could_not_accept(other, self._clock())

    async def _compare_roots(self, source: RegisterSource, state: register_pb2.RegisterState) -> None:
        """Find out whether another member follows another root of a version that was accepted here."""
        last = self._cache.last
        if state.root_version == last.root_version and state.root_sha256 == last.root_sha256:
            return
        if state.root_sha256 in self._compared_roots:
            return
        both = min(state.root_version, last.root_version)
        fork = await asyncio.to_thread(self._find_fork, self._fetcher(source), both)
        if len(self._compared_roots) >= MAX_COMPARED:
            self._compared_roots.clear()
        self._compared_roots.add(bytes(state.root_sha256))
        if fork:
            await self._follow()

    def _find_fork(self, fetch: Fetch, newest: int) -> bool:
        """Show the reader the first root that differs from ours; return whether that proves a fork."""
        other = first_other_root(fetch, self._reader.file, newest)
        fork = None if other is None else self._reader.note_fork(other, self._clock())
        if fork is not None and fork.broke:
            log.critical("refused_root_was_signed", root=fork.version, by=list(fork.broke))
        elif fork is not None:
            log.critical("register_forked", root=fork.version, signers=list(fork.members))
        return fork is not None

    async def _take_proofs(self, source: RegisterSource, state: register_pb2.RegisterState) -> None:
        """Store the proofs that this node lacks."""
        if state.proofs_sha256 in {b"", self._cache.state.proofs_sha256}:
            return
        for first, second in await source.proofs():
            with suppress(Rejected):  # also of a key that publishes no more
                await asyncio.to_thread(self._reader.note_proof, first, second, self._clock())
        await self._follow()

    async def _follow(self, made: OpenSet | None = None) -> None:
        """Put the set that the reader accepted last into force; ``made`` is that set if it was made here."""
        register = await asyncio.to_thread(lambda: self._reader.last)
        assert register is not None, "a node starts with a register"
        if made is None and register.version != self._cache.version:
            self._taken.spend(monotonic())
        if self.publisher is not None:
            for key_id in self._reader.disqualified:
                self.publisher.disqualify(key_id, self._clock())
            self.publisher.go_above(self._reader.highest_seen)
            held = self.publisher.held.register
            if (held.version, held.timestamp_version) != (register.version, register.timestamp_version):
                if made is None or made.register.version != register.version:
                    made = await asyncio.to_thread(self._open, register.version)
                self.publisher.hold(made)
        if register is not self._cache.verified:
            self._cache.follow(register)
        if self._logged != register.version:
            await self._ledger.commit(self._cache.note)
            self._logged = register.version

    def _open(self, version: bytes) -> OpenSet:
        return OpenSet.verify(self._reader.archived_files(version), self._reader.bootstrap_root, None)

    async def _learn(self, version: bytes, sources: Mapping[str, RegisterSource]) -> None:
        """Archive a version that was superseded while this node was offline; it is verified, but never in force."""
        failure: PaizaError = Unavailable("register_unknown", "the register names no other active member")
        for member, source in sources.items():
            known, began = self._member(member), monotonic()
            if began < known.not_learnt_from_until:
                continue
            try:
                await asyncio.to_thread(self._reader.import_set, version, self._fetcher(source, version))
            except PaizaError as error:
                failure = error
                known.not_learnt_from_until = _patience(began)
            else:
                self._learnt.spend(monotonic())
                log.info("register_learnt", version=version.hex())
                return
        log.warning("register_not_learnt", version=version.hex(), reason=failure.reason, detail=failure.detail)

    async def _publish(self) -> None:
        publisher, now = self.publisher, self._clock()
        if publisher is None or monotonic() < self._publishes_from:
            return
        await self._sign_node_role(publisher, now)
        submitted, self._submitted = self._submitted, []
        for changes, own in ((submitted, True), (self._changes(), False)):
            for change in changes:
                with suppress(Rejected):  # the register has it
                    publisher.submit(change, now, own=own)
        made = await asyncio.to_thread(publisher.publish, now)
        if made is None:
            return
        # Until it is accepted, and so stored, nobody sees it: two sets of one version would be a proof against us.
        try:
            await asyncio.to_thread(self._reader.accept, made.files, now)
        except PaizaError:
            self._publishes_from = monotonic() + LONGEST_PAUSE_SECONDS
            raise
        await self._follow(made)
        log.info("register_published", version=made.register.version.hex(), timestamp=made.timestamp.version)
        for member, source in self._sources().items():
            self._begin_greeting(member, source)

    async def _sign_node_role(self, publisher: Publisher, now: datetime) -> None:
        """Sign the role of this node with revocations that were asked for, with a new directory, or before it expires.

        One content of a version at a time: a second one would be refused, and what it adds lost.
        """
        member, held = publisher.member, publisher.held
        known, role = held.register.revocations.get(member, frozenset()), node_role_of(member)
        self._revoking = [each for each in self._revoking if not set(each) <= known]
        waits = (each for each in publisher.waiting if isinstance(each, WaitingChange) and each.own)
        if any(role in each.roles and each.reason is None for each in waits):
            return
        directory = self._directory()
        if directory is not None and (
            monotonic() < self._directory_from
            or not directory.is_due(held.register.reference.get(f"members/{member}/liaison.json"))
        ):
            directory = None
        if not self._revoking and directory is None:
            expiry = held.register.role_expiries.get(role)
            if expiry is None or expiry - now > SIGN_AGAIN or monotonic() < self._revocations_from:
                return
            self._revocations_from = monotonic() + REVOCATIONS_SECONDS
        try:
            signer = await asyncio.to_thread(self._revocations_key)
        except NodeStopped as error:
            log.warning("node_role_not_signed", reason=error.reason)
            self._directory_from = monotonic() + UNSIGNED_SECONDS
            return
        content = None if directory is None else directory.data
        self.submit(
            await asyncio.to_thread(node_role_signed, held, member, signer, now, tuple(self._revoking), content)
        )

    def _is_silent(self, member: str) -> bool:
        known, now = self._member(member), monotonic()
        return now >= max(known.heard, known.greeted) + SILENT_SECONDS

    def _begin_greeting(self, member: str, source: RegisterSource) -> None:
        greeting = asyncio.create_task(self._greet(member, source))
        self._greetings.add(greeting)
        greeting.add_done_callback(self._greetings.discard)
        self._member(member).greeted = monotonic()

    async def _greet(self, member: str, source: RegisterSource) -> PaizaError | None:
        """Ask a member what it holds; return why it did not answer."""
        known = self._member(member)
        known.greeted = monotonic()
        try:
            self._cache.note_state(member, await source.greet(self._cache.state))
        except PaizaError as error:
            known.serves_files_only = error.reason != "peer_unreachable"
            return error
        except Exception as error:  # no answer of one peer may end the node
            log.exception("register_not_asked", peer=member)
            return Unavailable("internal_error", type(error).__name__)
        known.serves_files_only = False
        return None

    async def _take_files(self, known: _Member, source: RegisterSource) -> None:
        """Fetch the newest set of a member that does not say what it holds."""
        began, known.serves_files_only = monotonic(), False
        with suppress(PaizaError):
            await asyncio.to_thread(self._reader.refresh, self._clock(), self._fetcher(source))
            await self._follow()
        known.left_alone_until = max(known.left_alone_until, _patience(began))

    def _fetcher(self, source: RegisterSource, version: bytes = b"") -> Fetch:
        return fetcher(source, self._loop, version)


def _patience(began: float) -> float:
    """Return until when a member is left alone that has kept this node waiting since then."""
    now = monotonic()
    return now + PATIENCE * (now - began)
