"""A message that is forwarded after its author's log abandoned a key, and its author's member revoked a certificate.

Whoever stole both can make up a release in the past: neither the old key nor the old register may prove it.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from paiza_register.ceremony.change import LOG_KEY
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer
from tests.integration.exchange.test_hostile_forwarder import Scene
from tests.officer import Officer
from tests.registers import read_register
from tests.revocations import revocation

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Late:
    """The forwarder; the author's log under the register of before; the two keys of that log, and two officers."""

    scene: Scene
    abandoned: SignerKey
    key: SignerKey
    revoked: Officer
    officer: Officer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def late(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Late]:
    """Return the author uzb after both changes; the entries of its log name the register of before."""
    folder = tmp_path_factory.mktemp("late") / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as federation:
        federation.start("kaz")
        before = read_register(folder)
        federation.node("kaz").stop()
        key = SignerKey.from_ed25519(before.member("uzb").origin, keys.generate_ed25519())
        until = datetime.now(UTC) + timedelta(seconds=1)
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
            yield Late(Scene(folder, after, peer, author_log), author_log.key, key, revoked, officer)


async def answer(late: Late, author: Officer, key: SignerKey) -> tuple[str, str]:
    """Forward a message of this officer's, released in a note by this key; return how it is answered."""
    late.scene.author, late.scene.author_log.key = author, key
    return await late.scene.answer(*late.scene.forward(late.scene.write()))


async def test_release_by_an_abandoned_key(late: Late) -> None:
    """A release that only an abandoned key signed, and that nobody cosigned, is none."""
    assert await answer(late, late.officer, late.abandoned) == ("rejection", "bad_proof")


async def test_signer_revoked_since(late: Late) -> None:
    """A revoked certificate signs nothing, under whichever register its release claims to be."""
    assert await answer(late, late.revoked, late.key) == ("rejection", "certificate_revoked")


async def test_both(late: Late) -> None:
    """The two together do not help either."""
    assert await answer(late, late.revoked, late.abandoned) == ("rejection", "bad_proof")


async def test_the_key_in_use(late: Late) -> None:
    """What another officer signed, and the log's new key, is received as ever."""
    assert await answer(late, late.officer, late.key) == ("received", "")
