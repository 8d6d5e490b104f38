"""The connections at the listeners of a node: whose they are, and which of them are given up so that others come in.

The library accepts connections up to a limit for all of them, before anybody has shown a certificate, and closes those
beyond it at once. One address could take all places by saying nothing. Therefore the operating system is asked which
connections are open, every second and as soon as many have arrived:

1. A connection is known from the first call on it that is admitted; it is its caller's until it ends.
2. Of the unknown connections of one address at a listener, some stay; the oldest ones beyond are given up.
3. While a listener has few places left, unknown connections are given up after `PRESSED_SECONDS`.
4. Of the connections of one caller `PER_CALLER` stay; the newest ones beyond are given up.
5. A connection over which its caller does not take what they asked for is given up when its call says so.
6. A connection that brings more headers than the library has announced is given up at its first call, and so are all
   unknown ones of its address for `BARRED_SECONDS`.

A connection is given up by shutting down a duplicate of its descriptor: the library sees that it ended, and closes it.
"""

import asyncio
import os
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Event
from typing import Any, Final
from urllib.parse import unquote

import structlog

from paiza_node.core.api import metrics
from paiza_node.core.api.descriptors import descriptor_limit
from paiza_node.core.limits import LimitUse

LOOK_SECONDS: Final = 1.0
PRESSED_SECONDS: Final = 3.0  # for a handshake and the first call over a satellite
PRESSED_SHARE: Final = 0.75  # of the places of a listener
ARRIVED_SHARE: Final = 0.25  # of the places: after so many arrivals the next look is due
PER_CALLER: Final = 32  # a program has one or two; an import with several processes has some more
SAMPLE_SECONDS: Final = 0.05  # between two looks for the sake of an arrival, if connections are few
SAMPLE_SHARE: Final = 0.05  # of the time, at most, for such looks
LATELY_SECONDS: Final = 1.5  # for which the address of a connection that ended is still named
BARRED_SECONDS: Final = 10.0  # in which an address that brought too many headers gets no new connections
MAX_NAMED: Final = 8  # addresses in one line of the log
DESCRIPTORS: Final = Path("/proc/self/fd")
_MAPPED: Final = "::ffff:"  # an IPv4 address at an IPv6 socket

log = structlog.get_logger("paiza.connections")

Peer = tuple[str, int]
"""Address and port of the other end."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener: its port, how many connections it takes, and how many unknown ones of one address."""

    port: int
    places: int
    unknown_per_address: int


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection: the other end, the port of the listener, and the descriptor."""

    peer: Peer
    port: int
    descriptor: int


LookedAt = dict[int, tuple[tuple[int, int], Connection | None]]
"""Descriptors with their device and inode, and their connection if they are one."""


class Connections:
    """The connections of this process. Thread-safe."""

    def __init__(self, listeners: Iterable[Listener], now: Callable[[], float] = time.monotonic) -> None:
        """Watch these listeners; ``now`` returns seconds of a clock that is never set."""
        self._listeners = {each.port: each for each in listeners}
        self._now = now
        self._since: dict[Peer, float] = {}
        self._callers: dict[Peer, str] = {}
        self._lately: dict[str, float] = {}
        self._barred: dict[str, float] = {}
        self._open = self._descriptors = 0
        self._looked_at: LookedAt = {}
        self._next_sample = 0.0
        self._arrived = 0
        self._enough = min((each.places for each in self._listeners.values()), default=0) * ARRIVED_SHARE
        self._due = Event()
        self._ended = False
        metrics.CONNECTIONS_LIMIT.set(sum(each.places for each in self._listeners.values()))

    def known(self, peer: str, caller: str) -> None:
        """Note whose a connection is; ``peer`` as gRPC writes it."""
        if (parsed := parse_peer(peer)) is not None:
            self._callers[parsed] = caller

    def give_up_unread(self, peer: str) -> None:
        """End the connection of a caller who does not take a response; ``peer`` as gRPC writes it."""
        wanted = parse_peer(peer)
        looked_at = self._looked_at.values()  # of the last second; the descriptor is compared before it is used
        self._give_up("unread", [each for _, each in looked_at if each is not None and each.peer == wanted])

    def give_up_headers(self, peer: str, shown: Sequence[str]) -> None:
        """End the connection of a call with too many headers, and bar its address; ``peer`` as gRPC writes it.

        ``shown``: the names in the caller's certificate. The unknown connections of the address end with it, those of
        the next `BARRED_SECONDS` at once: what comes over them is in memory before a call can be looked at. Known
        connections of the address go on.
        """
        if (parsed := parse_peer(peer)) is None:
            return
        self._barred[_network(parsed[0])] = self._now() + BARRED_SECONDS
        self._callers.pop(parsed, None)
        # An event of its own: lines of connections given up are left out when there are many.
        log.warning("too_many_headers", address=parsed[0], callers=list(shown)[:MAX_NAMED])
        with suppress(OSError):  # no descriptor is left for the look: the calls are dropped all the same
            found = self._open_connections()
            self._without_barred([each for each in found if each.peer not in self._callers])

    def barred(self, peer: Callable[[], str]) -> bool:
        """Return whether a call is on an unknown connection of a barred address; it is to be dropped unseen."""
        if not self._barred or (parsed := parse_peer(peer())) is None or parsed in self._callers:
            return False
        return self._now() <= self._barred.get(_network(parsed[0]), -inf)

    def arrived(self) -> None:
        """Note that a handshake begins, and the address: the connection may have ended before the next look."""
        self._arrived += 1
        if self._arrived >= self._enough or self._barred:
            self._due.set()
        if (began := self._now()) >= self._next_sample:
            self._seen(self._open_connections())
            self._next_sample = began + max(SAMPLE_SECONDS, (self._now() - began) / SAMPLE_SHARE)

    def unknown_addresses(self) -> list[str]:
        """Return addresses from which unknown connections were open lately, those of the newest first."""
        since = self._now() - LATELY_SECONDS
        newest = sorted(((at, address) for address, at in tuple(self._lately.items()) if at >= since), reverse=True)
        return [address for _, address in newest][:MAX_NAMED]

    def uses(self) -> list[LimitUse]:
        """Return how many connections and descriptors were in use at the last look."""
        places = sum(each.places for each in self._listeners.values())
        return [
            LimitUse("connections", self._open, places),
            LimitUse("descriptors", self._descriptors, descriptor_limit()),
        ]

    def look(self) -> None:
        """Look at all connections once, and give up those beyond the limits."""
        callers = dict(self._callers)  # before the look: a call that is admitted meanwhile stays noted
        found = self._open_connections()
        unknown = self._seen(found)
        peers = {each.peer for each in found}
        self._open, self._descriptors = len(found), len(self._looked_at)
        metrics.DESCRIPTORS.set(self._descriptors)
        for gone in callers.keys() - peers:
            self._callers.pop(gone, None)
        metrics.CONNECTIONS.labels("known").set(len(found) - len(unknown))
        metrics.CONNECTIONS.labels("unknown").set(len(unknown))
        unknown = self._without_barred(unknown)
        for listener in self._listeners.values():
            here = [each for each in unknown if each.port == listener.port]
            pressed = sum(each.port == listener.port for each in found) >= listener.places * PRESSED_SHARE
            beyond = _beyond(here, listener.unknown_per_address)
            self._give_up("address", beyond)
            if pressed:
                late = self._now() - PRESSED_SECONDS
                old = [each for each in here if self._since.get(each.peer, late) < late]
                self._give_up("places", [each for each in old if each not in beyond])
        self._give_up("caller", self._beyond_of_callers(found))

    def _open_connections(self) -> list[Connection]:
        # Replaced as a whole: another thread that looks at the same time looks at no more than what is new to both.
        self._looked_at = look_at_descriptors(self._listeners, self._looked_at)
        return [connection for _, connection in self._looked_at.values() if connection is not None]

    async def run(self) -> None:
        """Look again and again until cancelled, in a thread of its own: no call may keep it waiting."""
        with ThreadPoolExecutor(1, "connections") as thread:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, self._watch)
            finally:
                self._ended = True
                self._due.set()

    def _watch(self) -> None:
        while not self._ended:
            self._due.wait(LOOK_SECONDS)
            self._due.clear()
            self._arrived = 0
            with suppress(OSError):  # no descriptor is left for the look: the next one may find some
                self.look()

    def _seen(self, found: list[Connection]) -> list[Connection]:
        """Note since when connections are unknown; return the unknown ones, the oldest first."""
        now = self._now()
        unknown = [each for each in found if each.peer not in self._callers]
        self._since = {each.peer: self._since.get(each.peer, now) for each in unknown}
        lately = {address: at for address, at in tuple(self._lately.items()) if at >= now - LATELY_SECONDS}
        self._lately = lately | {each.peer[0]: now for each in unknown}
        return sorted(unknown, key=lambda each: self._since.get(each.peer, now))

    def _without_barred(self, unknown: list[Connection]) -> list[Connection]:
        """End the unknown connections of barred addresses; return the others."""
        now = self._now()
        for address in [address for address, until in tuple(self._barred.items()) if until < now]:
            self._barred.pop(address, None)
        if not self._barred:
            return unknown
        barred: list[Connection] = []
        others: list[Connection] = []
        for each in unknown:
            (barred if _network(each.peer[0]) in self._barred else others).append(each)
        self._give_up("headers", barred)
        return others

    def _beyond_of_callers(self, found: list[Connection]) -> list[Connection]:
        order = {peer: at for at, peer in enumerate(tuple(self._callers))}
        of_callers: defaultdict[str, list[Connection]] = defaultdict(list)
        for each in sorted(found, key=lambda each: order.get(each.peer, 0)):
            if (caller := self._callers.get(each.peer)) is not None:
                of_callers[caller].append(each)
        return [each for connections in of_callers.values() for each in connections[PER_CALLER:]]

    def _give_up(self, why: str, connections: list[Connection]) -> None:
        given_up = [each for each in connections if shut_down(each)]
        if not given_up:
            return
        metrics.CONNECTIONS_GIVEN_UP.labels(why).inc(len(given_up))
        addresses = list(dict.fromkeys(each.peer[0] for each in given_up))[:MAX_NAMED]
        callers = sorted({self._callers[each.peer] for each in given_up if each.peer in self._callers})[:MAX_NAMED]
        log.warning("connections_given_up", why=why, count=len(given_up), addresses=addresses, callers=callers)


def look_at_descriptors(ports: Iterable[int], before: LookedAt) -> LookedAt:
    """Return the open descriptors of this process, and which of them are connections at these ports.

    Those of the look ``before`` are not looked into again: with hundreds of connections that takes a hundredth of a
    processor. None where the system does not show them.
    """
    wanted = set(ports)
    found: LookedAt = {}
    with suppress(FileNotFoundError), os.scandir(DESCRIPTORS) as entries:
        for descriptor in [int(entry.name) for entry in entries]:
            try:
                status = os.fstat(descriptor)
            except OSError:  # closed meanwhile
                continue
            known, file = before.get(descriptor), (status.st_dev, status.st_ino)
            if known is None or known[0] != file:
                known = file, _connection(descriptor, wanted)
            found[descriptor] = known
    return found


def parse_peer(text: str) -> Peer | None:
    """Return address and port of a caller as gRPC writes it: ipv4:192.0.2.1:4711, ipv6:%5B2001:db8::1%5D:4711."""
    family, _, rest = unquote(text).partition(":")
    address, _, port = rest.rpartition(":")
    if family not in {"ipv4", "ipv6"} or not port.isdecimal():
        return None
    return address.strip("[]").removeprefix(_MAPPED), int(port)


def shut_down(connection: Connection) -> bool:
    """End a connection if it is still open; return whether it was."""
    try:
        # The number may be another connection's by now; the duplicate stays what it is while it is looked at.
        with socket.socket(fileno=os.dup(connection.descriptor)) as duplicate:
            if _peer(duplicate.getpeername()) != connection.peer:
                return False
            duplicate.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True


def _beyond(unknown: list[Connection], limit: int) -> list[Connection]:
    """Return the oldest connections of each address beyond the limit; ``unknown`` has the oldest first."""
    of_addresses: defaultdict[str, list[Connection]] = defaultdict(list)
    for each in unknown:
        of_addresses[_network(each.peer[0])].append(each)
    return [each for connections in of_addresses.values() for each in connections[: max(0, len(connections) - limit)]]


def _network(address: str) -> str:
    """Return what counts as one address: an IPv6 address of one's own comes with its /64 network."""
    if ":" not in address:
        return address
    return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:8].hex()


def _connection(descriptor: int, ports: set[int]) -> Connection | None:
    """Return a descriptor's connection if it is one at these ports."""
    try:
        looked_at = socket.socket(fileno=descriptor)
    except OSError:  # no socket, or closed meanwhile
        return None
    try:
        if looked_at.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
        port, peer = looked_at.getsockname()[1:2], _peer(looked_at.getpeername())
        return Connection(peer, port[0], descriptor) if peer is not None and port and port[0] in ports else None
    except OSError:  # a listening socket, or one that ended
        return None
    finally:
        looked_at.detach()  # it is not ours to close


def _peer(name: Any) -> Peer | None:
    """Return address and port; None for a socket of another family, whose descriptor took the number meanwhile."""
    if not isinstance(name, tuple) or not isinstance(name[0], str):
        return None
    return name[0].removeprefix(_MAPPED), name[1]
