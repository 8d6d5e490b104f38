"""The doctor's checks of the other members' nodes: whether they answer, and whether the clocks agree."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from paiza.peer.v1 import exchange_pb2
from paiza_node.core.errors import N_
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.blocks import REASON as BLOCKED
from paiza_node.core.peers.channels import GrpcChannel
from paiza_node.core.peers.clocks import (
    LEAST_SOURCES,
    OFF_WARNING,
    ClockLevel,
    ClockReport,
    ClockSample,
    compare,
    level_of,
    report,
)
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.model import PeerBlock
from paiza_node.core.peers.rpcs import HANDSHAKE, PROTOCOL_VERSION
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.core.register.state import state_of
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.witness.consistency_monitor import FORKED
from paiza_node.ops import misbehaviour
from paiza_node.ops.config import Config
from paiza_node.ops.doctor.machine import Check, fail, lacks_database, ok, warn
from paiza_node.ops.keys import Keys
from paiza_node.ops.language import number_text, span_text
from paiza_node.ops.terminal import shown_time
from paiza_register import Register
from paiza_wire.errors import PaizaError

MAX_BEHIND: Final = 1  # versions of the timestamp; the newest may be on its way


def check_peers(config: Config, register: Register, keys: Keys, own_size: Callable[[], int]) -> Iterator[Check]:
    """Call the node of every other active member that is not blocked, at the same time.

    A suspended member calls nobody: all would refuse it, and `check_members` says so.
    """
    if config.member in register.suspended_ids:
        return
    blocked = _blocks(config).keys() | {config.member}
    members = [member.id for member in register.active_members() if member.id not in blocked]
    answers = _Answers({}, {})
    yield from asyncio.run(_ask_all(config, register, keys, own_size, members, answers))
    yield from check_announced(answers.timestamps, register.timestamp_version)
    yield from check_clocks(report(answers.clocks, time.monotonic()))


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the peers' answers show beside themselves: their clocks, and the timestamps that they announce."""

    clocks: dict[str, ClockSample | None]
    timestamps: dict[str, int]


async def _ask_all(
    config: Config,
    register: Register,
    keys: Keys,
    own_size: Callable[[], int],
    members: list[str],
    answers: _Answers,
) -> list[Check]:
    asked = (_ask(config, register, keys, own_size, member, answers) for member in members)
    return list(await asyncio.gather(*asked))


async def _ask(
    config: Config,
    register: Register,
    keys: Keys,
    own_size: Callable[[], int],
    member: str,
    answers: _Answers,
) -> Check:
    """Call a member's node; what it shows is added to ``answers``."""
    name = member
    channel = GrpcChannel(member, TlsIdentity(keys.tls), lambda: register, Endpoints())
    sent, begun = datetime.now(UTC), time.monotonic()
    try:
        response = await channel.call_any(
            HANDSHAKE,
            exchange_pb2.HandshakeRequest(protocol_version=PROTOCOL_VERSION, register_state=state_of(register, sent)),
        )
    except PaizaError as error:
        if error.reason == BLOCKED:
            return warn(
                name,
                N_("Its operator has blocked this member: nothing is exchanged, and messages wait."),
                N_("Ask that operator for the reason, and when they end it."),
            )
        return fail(
            name,
            N_("It does not answer: {code}: {detail}."),
            N_("Check the network and firewall to {endpoint}; if others reach it, tell its operator."),
            code=error.reason,
            detail=error.detail,
            endpoint=", ".join(register.member(member).endpoints),
        )
    finally:
        await channel.close()
    answers.clocks[member] = compare(sent, begun, time.monotonic(), response.answer_time)
    answers.timestamps[member] = response.register_state.timestamp_version
    known = _known_size(register, config.member, response.known_checkpoint)
    size = own_size()
    if known > size:
        return fail(
            name,
            N_(
                "It holds our checkpoint of size {known}, and our log has {size} entries: an old copy of "
                "our database was restored."
            ),
            N_("Stop this node and restore the newest copy of the database."),
            known=known,
            size=size,
        )
    if response.register_state.register_version != register.version:
        return warn(
            name,
            N_("It answers, but has another version of the register."),
            N_(
                "Nothing, if it was published in the last minutes. Otherwise find out which of the two cannot fetch it."
            ),
        )
    return ok(name, N_("Answers in {time} ms."), time=f"{(time.monotonic() - begun) * 1000:.0f}")


def _known_size(register: Register, member: str, note: bytes) -> int:
    own = register.member(member)
    try:
        return own.checkpoint(note, own.origin).size if note else 0
    except PaizaError:
        return 0


def check_blocks(config: Config) -> Iterator[Check]:
    """Check for members that are blocked here."""
    name = N_("blocks")
    blocks = _blocks(config)
    for member, block in sorted(blocks.items()):
        yield warn(
            name,
            N_("{member} has been blocked since {time} by {actor}: {reason}"),
            N_(
                "Messages for it wait, and are given up after their lifetime. When the reason is gone: `paiza-node "
                "peers unblock {member} --reason …`."
            ),
            member=member,
            time=shown_time(block.blocked_time),
            actor=block.actor,
            reason=block.reason_text,
        )
    if not blocks:
        yield ok(name, N_("No member is blocked."))


def _blocks(config: Config) -> dict[str, PeerBlock]:
    if lacks_database(config):  # of a node that has never run, which blocks nobody
        return {}
    with open_scan(config.database) as scan:
        return peers_store.peer_blocks(scan)


def check_misbehaviour(config: Config) -> Iterator[Check]:
    """Check for misbehaviour of other members' logs."""
    name = N_("misbehaviour")
    found = {member: reasons for member, reasons in misbehaviour.open_reasons(config).items() if reasons}
    for member, reasons in sorted(found.items()):
        if FORKED in reasons:
            yield fail(
                name,
                N_("The log of {member} is forked: it signed two histories. Nothing is accepted from it."),
                N_("See `paiza-node misbehaviour list`. Establish with that member what happened, then restore trust."),
                member=member,
            )
        else:
            yield warn(
                name,
                N_("The log of {member} is {what}."),
                N_(
                    "Ask that member's operator for the cause. It ends by itself when its node shows and "
                    "proves its whole log."
                ),
                member=member,
                what=misbehaviour.in_words(reasons),
            )
    if not found:
        yield ok(name, N_("No misbehaviour of other members' logs is recorded."))


def check_announced(announced: Mapping[str, int], own: int) -> Iterator[Check]:
    """Check the version of our timestamp against those that the peers announce."""
    name = N_("register at peers")
    newest = max(announced.values(), default=0)
    values = {
        "own": number_text(own),
        "newest": number_text(newest),
        "members": ", ".join(sorted(member for member, version in announced.items() if version == newest)),
    }
    if newest > own + MAX_BEHIND:
        yield warn(
            name,
            N_("Timestamp {newest} is announced by {members}, and this node holds {own}."),
            N_("Ask them now: `paiza-node register refresh`. The node's log says why it fails (register_not_fetched)."),
            **values,
        )
    elif newest:
        yield ok(name, N_("No peer announces a newer timestamp than {newest}; this node holds {own}."), **values)


def check_clocks(found: ClockReport) -> Iterator[Check]:
    """Check our clock and those of the peers that answered, by the times in their answers."""
    name = N_("clock")
    count, ntp = len(found.ahead), N_("Check that this machine keeps its time by NTP.")
    if not count:
        yield warn(name, N_("No peer answered with its time: the clock was not compared."), ntp)
        return
    if found.own is not None and found.level:
        judge = fail if found.level is ClockLevel.FAR_OFF else warn
        text = (
            N_("Our clock is {off} ahead of the median of {count} peers.")
            if found.own > timedelta(0)
            else N_("Our clock is {off} behind the median of {count} peers.")
        )
        yield judge(name, text, ntp, off=span_text(abs(found.own)), count=count)
    for member, ahead in sorted(found.wrong.items()):
        if found.own is None:
            yield _undecided(name, member, ahead, count)
            continue
        text = (
            N_("The clock of {member} is {off} ahead of the median of {count} peers.")
            if ahead > timedelta(0)
            else N_("The clock of {member} is {off} behind the median of {count} peers.")
        )
        remedy = N_("Tell that member's operator.")
        yield warn(name, text, remedy, member=member, off=span_text(abs(ahead)), count=count)
    if not found.level and not found.wrong:
        text = (
            N_("Agrees within {seconds} s; peers compared: {count}.")
            if count >= LEAST_SOURCES
            else N_(
                "Agrees within {seconds} s; peers compared: {count}. Three are needed to tell which clock is wrong."
            )
        )
        yield ok(name, text, count=count, seconds=int(OFF_WARNING.total_seconds()))


def _undecided(name: str, member: str, ahead: timedelta, count: int) -> Check:
    text = (
        N_("Our clock is {off} behind that of {member}; with {count} peers it is not known which is wrong.")
        if ahead > timedelta(0)
        else N_("Our clock is {off} ahead of that of {member}; with {count} peers it is not known which is wrong.")
    )
    judge = fail if level_of(ahead) is ClockLevel.FAR_OFF else warn
    remedy = N_("Check that this machine keeps its time by NTP; if it does, tell that member's operator.")
    return judge(name, text, remedy, off=span_text(abs(ahead)), member=member, count=count)
