"""Misbehaviour of other members' logs: from the running node, else from its database."""

from typing import Final

from paiza.admin.v1 import admin_pb2
from paiza_node.core.errors import N_
from paiza_node.core.peers import store as peers_store
from paiza_node.features.witness.consistency_monitor import FORKED, IN_DEFAULT, STALE
from paiza_node.features.witness.misbehaviour import listed as listed_findings
from paiza_node.features.witness.misbehaviour import misbehaviour_message
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.config import Config
from paiza_node.ops.language import _
from paiza_node.ops.offline import read_only
from paiza_wire.errors import PaizaError, Unavailable

WORDS: Final = {
    FORKED: N_("forked"),
    IN_DEFAULT: N_("in default"),
    STALE: N_("stale"),
}


def recorded(config: Config) -> tuple[list[admin_pb2.Misbehaviour], bool]:
    """Return every finding, newest first, and whether the node runs."""
    try:
        with AdminClient(config.admin_socket) as client:
            return client.misbehaviour(), True
    except Unavailable as error:
        if error.reason != "node_unreachable":
            raise
    with read_only(config) as store, store.reads() as reads:
        return [misbehaviour_message(each) for each in listed_findings(peers_store.findings(reads))], False


def in_words(reasons: list[str]) -> str:
    """Return reason codes of misbehaviour in words; "-" if there are none."""
    return ", ".join(_(WORDS[reason]) for reason in reasons if reason in WORDS) or "-"


def open_reasons(config: Config) -> dict[str, list[str]]:
    """Return the open reason codes by member: from the running node, else from its database."""
    try:
        with AdminClient(config.admin_socket) as client:
            return {peer.member: list(peer.misbehaviour) for peer in client.status().peers}
    except PaizaError:
        found, _runs = recorded(config)
        open_ones = [each for each in found if not each.HasField("ended_time")]
        return {each.member: [other.reason for other in open_ones if other.member == each.member] for each in open_ones}
