"""Messages with attachments passed on between real nodes: their keys are wrapped anew, their bytes follow."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.core.v1.message_pb2 import Handling
from paiza.officer.v1 import attachment_pb2, attachment_pb2_grpc
from paiza_node.__main__ import run
from paiza_node.features.attachments.checks import ATTACHMENT_ENDS
from paiza_wire import log_entries, message
from paiza_wire.message.attachment import Opener
from tests.attaching import FIRST_PART, bring, noise, seal, settled, signed, submit
from tests.federation import Federation
from tests.integration.passing.desk import SECONDS, Desk, until

SIZE = 300_000
RECEIVED = delivery_pb2.ATTACHMENT_STATE_RECEIVED
REFUSED = delivery_pb2.ATTACHMENT_STATE_REFUSED


def served(federation: Federation, giver: str, taker: str) -> int:
    """Return how many films a node has served whole to another."""
    lines = federation.node(giver).log.read_text().splitlines()
    return sum("attachment_served" in line and taker in line for line in lines)


async def sent_with_film(kaz: Desk, folder: Path, to: Sequence[str] = ("tjk",)) -> bytes:
    """Send an invented film from kaz; gives the digest of its message."""
    officer = kaz.officers["liaison"]
    header = officer.header(to)
    header.handling.CopyFrom(Handling(code="H0", tlp="GREEN"))
    film = seal(folder, header, SIZE)
    raw = signed(officer, header, [film.said])
    async with officer.channel() as channel:
        assert (await bring(channel, film)).whole
        result = await submit(channel, raw)
    assert result.WhichOneof("result") == "released", result
    return bytes(result.released.message_digest)


async def sealed_film(federation: Federation, desk: Desk, digest: bytes) -> Path:
    """Return the file in which a member's node holds the sealed film."""
    header = message.parse_header((await desk.open(digest, FIRST_PART)).message.header)
    folder = federation.node(desk.member).data / "attachments"
    return folder / header.parts[FIRST_PART].ciphertext_sha256.hex()


async def read(desk: Desk, digest: bytes) -> bytes:
    """Fetch and open the film as an officer of a member."""
    opened = await desk.open(digest, FIRST_PART)
    header = message.parse_header(opened.message.header)
    async with desk.officers["liaison"].channel() as channel:
        request = attachment_pb2.DownloadRequest(message_digest=digest, part_number=FIRST_PART)
        stub = attachment_pb2_grpc.AttachmentServiceStub(channel)
        sealed = b"".join([piece.data async for piece in stub.Download(request, timeout=SECONDS)])
    open_scope = Opener(header, FIRST_PART, opened.part_key)
    plain = open_scope.update(sealed)
    last, info = open_scope.finish()
    assert (info.name, info.size) == ("film-1.mp4", SIZE)
    return plain + last


async def there(desk: Desk, digest: bytes) -> list[int]:
    """Wait until no attachment of a message is pending at a member; gives how they stand there."""
    await desk.arrival(digest)
    async with desk.officers["liaison"].channel() as channel:
        return [each.state for each in await settled(channel, digest) if each.member == desk.member]


async def at_recipients(desk: Desk, digest: bytes) -> dict[str, int]:
    """Wait until the author knows of all its recipients what became of the film; gives that by member."""
    async with desk.officers["liaison"].channel() as channel:
        return {each.member: each.state for each in await settled(channel, digest)}


async def ends(desk: Desk, digest: bytes) -> list[tuple[str, str]]:
    """Return (event, counterpart) of what a log says of how the film ended."""
    return [
        (log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_"), each.counterpart)
        for each in await desk.trail(digest)
        if log_entries.part_number(each) == FIRST_PART and each.event in ATTACHMENT_ENDS
    ]


async def test_the_bytes_follow_a_message_that_is_passed_on(unit_directory: dict[str, Desk], tmp_path: Path) -> None:
    """Each new holder gets the keys and fetches the film from its forwarder, which keeps a receipt."""
    kaz, tjk, uzb, kgz = unit_directory.values()
    film = b"".join(noise(SIZE))
    digest = await sent_with_film(kaz, tmp_path)
    assert await there(tjk, digest) == [RECEIVED]
    for giver, taker in ((tjk, uzb), (uzb, kgz)):
        assert await giver.forward(digest, taker.member) == ["forwarded"]
        assert await there(taker, digest) == [RECEIVED]
        assert await read(taker, digest) == film
        received = [each for each in await taker.trail(digest) if log_entries.part_number(each) == FIRST_PART]
        assert ("RECEIVED", giver.member) in await taker.events(digest)
        assert received

        async def told(giver: Desk = giver, taker: Desk = taker) -> bool:
            return any(
                log_entries.part_number(entry) == FIRST_PART and entry.counterpart == taker.member
                for entry in await giver.trail(digest)
            )

        assert await until(told)


async def test_the_author_need_not_be_there(
    unit_directory: dict[str, Desk], federation: Federation, tmp_path: Path
) -> None:
    """The forwarder hands the bytes over itself: the new holder gets all of it while the author's node is down."""
    kaz, tjk, uzb, _kgz = unit_directory.values()
    digest = await sent_with_film(kaz, tmp_path)
    assert await there(tjk, digest) == [RECEIVED]
    federation.node("kaz").stop()
    try:
        assert await tjk.forward(digest, "uzb") == ["forwarded"]
        assert await there(uzb, digest) == [RECEIVED]
        assert await read(uzb, digest) == b"".join(noise(SIZE))
    finally:
        federation.node("kaz").start()


async def test_passed_on_before_the_bytes_came(
    unit_directory: dict[str, Desk], federation: Federation, tmp_path: Path
) -> None:
    """A forwarder whose attachment is still pending serves it as soon as it is complete."""
    kaz, tjk, uzb, _kgz = unit_directory.values()
    federation.node("tjk").stop()
    digest = await sent_with_film(kaz, tmp_path)
    federation.node("tjk").start()
    await tjk.arrival(digest)
    assert await tjk.forward(digest, "uzb") == ["forwarded"]
    assert await there(uzb, digest) == [RECEIVED]
    assert await read(uzb, digest) == b"".join(noise(SIZE))


async def test_the_author_serves_what_the_forwarder_does_not(
    unit_directory: dict[str, Desk], federation: Federation, tmp_path: Path
) -> None:
    """A message came from a forwarder first, without its film: it comes from the author, who gets a receipt for it."""
    kaz, tjk, uzb, _kgz = unit_directory.values()
    federation.node("uzb").stop()
    digest = await sent_with_film(kaz, tmp_path, ["tjk", "uzb"])
    assert await there(tjk, digest) == [RECEIVED]
    (await sealed_film(federation, tjk, digest)).unlink()
    federation.node("kaz").stop()
    federation.node("uzb").start()
    assert await tjk.forward(digest, "uzb") == ["forwarded"]
    await uzb.arrival(digest)
    federation.node("kaz").start()
    assert await there(uzb, digest) == [RECEIVED]
    assert await read(uzb, digest) == b"".join(noise(SIZE))
    sources = {each.counterpart for each in await uzb.trail(digest) if log_entries.part_number(each) == FIRST_PART}
    assert "kaz" in sources
    assert "tjk" not in sources
    assert await at_recipients(kaz, digest) == {"tjk": RECEIVED, "uzb": RECEIVED}


async def test_the_author_serves_what_the_forwarder_spoilt(
    unit_directory: dict[str, Desk], federation: Federation, tmp_path: Path
) -> None:
    """Wrong bytes of a forwarder are refused for good, and are not the end: the author brings the right ones."""
    kaz, tjk, uzb, _kgz = unit_directory.values()
    federation.node("uzb").stop()
    digest = await sent_with_film(kaz, tmp_path, ["tjk", "uzb"])
    assert await there(tjk, digest) == [RECEIVED]
    spoilt = await sealed_film(federation, tjk, digest)
    spoilt.write_bytes(bytes(spoilt.stat().st_size))
    federation.node("kaz").stop()
    federation.node("uzb").start()
    assert await tjk.forward(digest, "uzb") == ["forwarded"]
    assert await there(uzb, digest) == [REFUSED]
    federation.node("kaz").start()
    assert await at_recipients(kaz, digest) == {"tjk": RECEIVED, "uzb": RECEIVED}
    assert await read(uzb, digest) == b"".join(noise(SIZE))
    assert await ends(uzb, digest) == [("REFUSED", "tjk"), ("RECEIVED", "kaz")]
    assert run(["verify", "--config", str(federation.node("uzb").config)]) == 0


async def test_the_author_learns_of_what_a_forwarder_served(
    unit_directory: dict[str, Desk], federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The author gets a receipt too, and the film is not fetched again; the node verifies."""
    kaz, tjk, uzb, _kgz = unit_directory.values()
    federation.node("uzb").stop()
    digest = await sent_with_film(kaz, tmp_path, ["tjk", "uzb"])
    assert await there(tjk, digest) == [RECEIVED]
    federation.node("kaz").stop()
    federation.node("uzb").start()
    assert await tjk.forward(digest, "uzb") == ["forwarded"]
    assert await there(uzb, digest) == [RECEIVED]
    before = served(federation, "kaz", "uzb")
    federation.node("kaz").start()
    assert await at_recipients(kaz, digest) == {"tjk": RECEIVED, "uzb": RECEIVED}
    assert served(federation, "kaz", "uzb") == before
    assert await read(uzb, digest) == b"".join(noise(SIZE))
    assert await there(uzb, digest) == [RECEIVED]
    assert await ends(uzb, digest) == [("RECEIVED", "tjk"), ("RECEIVED", "kaz")]

    async def forwarder_told() -> bool:
        return ("DELIVERED", "uzb") in await ends(tjk, digest)

    assert await until(forwarder_told)
    assert run(["verify", "--config", str(federation.node("uzb").config)]) == 0, capsys.readouterr()
