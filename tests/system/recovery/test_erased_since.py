"""Messages erased or held after a backup are erased or held again when it is restored."""

import asyncio
from pathlib import Path

import pytest

from paiza_node.features.recovery.lost_entries import RESTORED_TEXT
from tests.integration.exchange.desk import Desk
from tests.integration.exchange.lawful_desk import LawfulDesk
from tests.integration.exchange.test_erasing import asked, lying_about, sent, until_logged
from tests.system.recovery.conftest import Drill


@pytest.mark.parametrize("drill", ["sqlite"], indirect=True)
def test_erasures_since_the_backup_are_done_again(drill: Drill, tmp_path: Path) -> None:
    """An own message and a received one, both in the backup and erased since: no piece of either is left after it."""
    folder, file = drill.federation.folder, tmp_path / "kaz.backup"

    async def send() -> list[tuple[bytes, bytes]]:
        kaz, tjk, uzb = (Desk(folder, member) for member in ("kaz", "tjk", "uzb"))
        async with kaz.channel, tjk.channel, uzb.channel:
            return [await sent(kaz, [tjk, uzb]), await sent(tjk, [kaz]), await sent(tjk, [kaz])]

    async def erase(own: tuple[bytes, bytes], received: tuple[bytes, bytes]) -> None:
        kaz, tjk, uzb = (Desk(folder, member) for member in ("kaz", "tjk", "uzb"))
        async with kaz.channel, tjk.channel, uzb.channel:
            assert await kaz.send(asked(kaz, own[0], ["tjk", "uzb"])) == ""
            assert await tjk.send(asked(tjk, received[0], ["kaz"])) == ""
            for desk, digest in ((tjk, own[1]), (uzb, own[1]), (kaz, own[1]), (kaz, received[1])):
                answered = 2 if desk is kaz and digest == own[1] else 0
                await until_logged(desk, digest, "ERASED", *["ERASURE_ANSWERED"] * answered)

    async def erased(own: bytes, received: bytes) -> None:
        kaz = Desk(folder, "kaz")
        async with kaz.channel:
            await until_logged(kaz, own, "ERASED", *["ERASURE_ANSWERED"] * 2)  # its own, and what the other two said
            await until_logged(kaz, received, "ERASED")

    own, received, kept = asyncio.run(send())
    assert drill.kaz("backup", file)[0] == 0
    asyncio.run(erase(own, received))
    drill.lose()
    code, told = drill.kaz("restore", file)
    assert (code, told["reason"]) == (3, "log_continues")
    drill.admit(told["remedy"].split("with the key ")[1].split()[0])
    assert drill.kaz("restore", file)[0] == 0
    assert lying_about(drill.federation, "kaz", own[0]), "the backup held what was erased since"
    drill.federation.start("kaz")
    drill.recovered()
    asyncio.run(erased(own[1], received[1]))
    drill.federation.node("kaz").stop()
    assert lying_about(drill.federation, "kaz", own[0]) == []
    assert lying_about(drill.federation, "kaz", received[0]) == []
    assert lying_about(drill.federation, "kaz", kept[0]), "what nobody erased is still there"
    drill.verify_all()


def test_holds_since_the_backup_go_before_the_requests_that_come_back(drill: Drill, tmp_path: Path) -> None:
    """A message denied to its author since is held until an officer lifts that; what was lifted and erased is erased.

    What is not in the backup and has been erased by its author is nowhere any more, and nobody says that it is held.
    """
    folder, file = drill.federation.folder, tmp_path / "kaz.backup"

    async def send() -> tuple[bytes, bytes]:
        kaz, tjk = Desk(folder, "kaz"), Desk(folder, "tjk")
        async with kaz.channel, tjk.channel:
            return await sent(tjk, [kaz])

    async def hold_and_ask(*messages: tuple[bytes, bytes]) -> None:
        kaz, tjk = Desk(folder, "kaz"), Desk(folder, "tjk")
        async with kaz.channel, tjk.channel, kaz.second.channel() as channel:
            officer = LawfulDesk(channel)
            for signed, digest in messages:
                assert await officer.place_hold(digest, "case 17") == ""
                assert await tjk.send(asked(tjk, signed, ["kaz"])) == ""
                await until_logged(tjk, digest, "ERASURE_ANSWERED", "ERASED")  # what kaz said, and what it did itself
            assert await officer.release_hold(messages[-1][1], "case closed") == ""
            await until_logged(tjk, messages[-1][1], *["ERASURE_ANSWERED"] * 2, "ERASED")

    async def stand(digest: bytes, gone: bytes, erased: bytes) -> None:
        kaz = Desk(folder, "kaz")
        async with kaz.channel, kaz.second.channel() as channel:
            officer = LawfulDesk(channel)
            assert await officer.holds() == {digest: ("node", RESTORED_TEXT)}
            await until_logged(kaz, digest, "HELD", "ERASURE_DENIED")
            assert await kaz.open(digest) == ""
            assert (await officer.erasures(digest), await officer.erasures(gone)) == (
                {"kaz": "HELD"},
                {"kaz": "NOT_HELD"},
            )
            await until_logged(kaz, erased, "ERASED")
            assert await kaz.open(erased) == "erased"

    async def lift(digest: bytes) -> None:
        kaz, tjk = Desk(folder, "kaz"), Desk(folder, "tjk")
        async with kaz.channel, tjk.channel, kaz.second.channel() as channel:
            officer = LawfulDesk(channel)
            assert await officer.release_hold(digest, "case closed") == ""
            await until_logged(kaz, digest, "HELD", "HOLD_RELEASED", "ERASURE_DENIED", "ERASED")
            # The author erased its own, and was denied twice: by the log that was lost, and by the one that goes on.
            await until_logged(tjk, digest, *["ERASURE_ANSWERED"] * 3, "ERASED")
            assert await officer.holds() == {}

    kept, lifted = asyncio.run(send()), asyncio.run(send())
    assert drill.kaz("backup", file)[0] == 0
    later = asyncio.run(send())
    asyncio.run(hold_and_ask(kept, later, lifted))
    drill.lose()
    code, told = drill.kaz("restore", file)
    assert (code, told["reason"]) == (3, "log_continues")
    drill.admit(told["remedy"].split("with the key ")[1].split()[0])
    assert drill.kaz("restore", file)[0] == 0
    drill.federation.start("kaz")
    drill.recovered()
    asyncio.run(stand(kept[1], later[1], lifted[1]))
    drill.verify_all()
    asyncio.run(lift(kept[1]))
    drill.verify_all()
