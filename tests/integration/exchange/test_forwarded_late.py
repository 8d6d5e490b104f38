"""A message that is forwarded after its author's log abandoned a key, and its author's member revoked a certificate.

Whoever stole both can make up a release in the past: neither the old key nor the old register may prove it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from paiza_node.ops.config import load
from paiza_node.ops.keys import load_keys
from paiza_register.ceremony.change import LOG_KEY
from paiza_wire.identity import keys
from paiza_wire.tlog import cosignatures
from paiza_wire.tlog.notes import SignerKey
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer
from tests.integration.exchange.test_hostile_forwarder import Scene
from tests.officer import Officer
from tests.registers import read_register
from tests.revocations import revocation

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = timedelta(days=1)
UNWITNESSED = ("retry", "release_unwitnessed")


@dataclass(frozen=True)
class Late:
    """The forwarder; the author's log under the register of before; the two keys of that log, and two officers."""

    folder: Path
    scene: Scene
    abandoned: SignerKey
    key: SignerKey
    revoked: Officer
    officer: Officer

    def cosigned(self, note: bytes, witnesses: Sequence[str], at: datetime) -> bytes:
        """Return a note of the author's log with the cosignatures of these members' witnesses."""
        verified = self.scene.register.member("uzb").checkpoint(note, self.key.verifier_key.name)
        signers = [self._witness(each) for each in witnesses]
        return cosignatures.add_signatures(note, [cosignatures.cosign(verified, each, at) for each in signers])

    def _witness(self, member: str) -> cosignatures.WitnessSigner:
        config = load(self.folder / f"nodes/{member}/node.toml", {})
        return load_keys(config, self.scene.register.member(member)).witness


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def late(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Late]:
    """Return the author uzb after both changes; the entries of its log name the register of before."""
    folder = tmp_path_factory.mktemp("late") / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as federation:
        federation.start("kaz")
        before = read_register(folder)
        federation.node("kaz").stop()
        key = SignerKey.from_ed25519(before.member("uzb").origin, keys.generate_ed25519())
        until = datetime.now(UTC) + timedelta(seconds=5)  # not past before the change is made
        vkey = key.verifier_key.to_vkey()
        federation.join(federation.change(LOG_KEY, member="uzb", vkey=vkey, until=until), "kaz")
        revoked, officer = Officer(folder, "uzb-liaison", before), Officer(folder, "uzb-authoriser", before)
        entry = revocation(revoked.signer.certificate)
        federation.join(federation.edit("uzb", "revoked", lambda data: data["certificates"].append(entry)), "kaz")
        await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        federation.start("kaz")
        after = read_register(folder)
        peer = HostilePeer(folder, "tjk", federation.node("kaz"), after)
        author_log = HostilePeer(folder, "uzb", federation.node("kaz"), before)
        async with peer.channel, author_log.channel:
            yield Late(folder, Scene(folder, after, peer, author_log), author_log.key, key, revoked, officer)


async def answer(
    late: Late, author: Officer, key: SignerKey, *witnesses: str, witnessed: timedelta = DAY
) -> tuple[str, str]:
    """Forward a message of this officer's, released in a note by this key; return how it is answered.

    These witnesses cosigned the notes of the author's log, so long ago.
    """
    late.scene.author, late.scene.author_log.key = author, key
    dispatch, index = late.scene.forward(late.scene.write())
    for proof in (dispatch.forwarding.origin, *dispatch.forwarding.certificates):
        proof.checkpoint = late.cosigned(proof.checkpoint, witnesses, datetime.now(UTC) - witnessed)
    return await late.scene.answer(dispatch, index)


async def test_release_by_an_abandoned_key(late: Late) -> None:
    """A release that only an abandoned key signed is none without witnesses, for whom the forwarder is asked."""
    assert await answer(late, late.officer, late.abandoned) == UNWITNESSED
    assert await answer(late, late.officer, late.abandoned, "tjk") == UNWITNESSED


async def test_signer_revoked_since(late: Late) -> None:
    """A revoked certificate signs nothing without witnesses, under whichever register its release claims to be."""
    assert await answer(late, late.revoked, late.key) == UNWITNESSED
    assert await answer(late, late.revoked, late.key, "tjk") == UNWITNESSED


async def test_both(late: Late) -> None:
    """The two together do not help either."""
    assert await answer(late, late.revoked, late.abandoned) == UNWITNESSED


async def test_witnessed_after_the_revocation(late: Late) -> None:
    """What a quorum saw only after the revocation is refused for good."""
    refused = await answer(late, late.revoked, late.key, "kaz", "tjk", witnessed=timedelta(0))
    assert refused == ("rejection", "certificate_revoked")


@pytest.mark.parametrize("key", ["key", "abandoned"])
@pytest.mark.parametrize("author", ["revoked", "officer"])
async def test_witnessed_before(late: Late, author: str, key: str) -> None:
    """What a quorum saw before counts for ever: of an officer who left since, and by a key given up since."""
    assert await answer(late, getattr(late, author), getattr(late, key), "kaz", "tjk") == ("received", "")


async def test_the_key_in_use(late: Late) -> None:
    """What another officer signed, and the log's new key, is received as ever."""
    assert await answer(late, late.officer, late.key) == ("received", "")
