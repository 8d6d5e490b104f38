"""A witness that is away: nothing waits for it but the cosignatures, and it is seen that they are missing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from paiza.core.v1 import delivery_pb2
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.features.witness import store as witness_store
from tests.federation import Federation, NodeProcess
from tests.integration.witness.looking import eventually, look, send
from tests.officer import Officer

BACK_SECONDS = 90.0  # a witness that is back is found within half a minute


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run two of three nodes: each log has two witnesses, and needs both."""
    with Federation.create(tmp_path_factory.mktemp("away") / "f", ["kaz", "tjk", "uzb"]) as made:
        made.start("kaz", "tjk")
        yield made


def delivered(node: NodeProcess, digest: bytes) -> bool:
    """Return whether all deliveries of a message are settled as delivered."""
    states = {each.state for each in look(node, lambda reads: deliveries_store.deliveries_of(reads, digest))}
    return states == {delivery_pb2.DELIVERY_STATE_DELIVERED}


def waits_since(node: NodeProcess) -> datetime | None:
    """Return since when the node's log has had entries that no quorum cosigned."""
    status = node.status()
    return status.unwitnessed_since_time.ToDatetime(tzinfo=UTC) if status.HasField("unwitnessed_since_time") else None


def test_one_of_two_witnesses_away_is_seen_and_holds_up_no_delivery(three: Federation) -> None:
    """Messages are delivered; the log stays unwitnessed since its beginning until the second witness is back."""
    kaz = three.node("kaz")
    digest = send(Officer(three.folder, "kaz-liaison"), ["tjk"])
    eventually(partial(delivered, kaz, digest))
    # A witness that is asked while it is busy says so, and is asked again.
    eventually(
        lambda: [
            peer
            for peer in kaz.status().peers
            if peer.member == "tjk" and peer.cosigned_size and not peer.not_cosigned_reason
        ]
    )
    (away,) = eventually(
        lambda: [peer for peer in kaz.status().peers if peer.not_cosigned_reason == "peer_unreachable"]
    )
    assert (away.member, away.cosigned_size) == ("uzb", 0)
    assert kaz.status().witnessed_size == 0
    since = waits_since(kaz)
    send(Officer(three.folder, "kaz-liaison"), ["tjk"])
    assert since is not None
    assert waits_since(kaz) == since
    three.start("uzb")
    eventually(lambda: waits_since(kaz) is None, BACK_SECONDS)
    note = look(kaz, witness_store.last_witnessed)
    assert note is not None
    assert note.witnesses == ("tjk", "uzb")
