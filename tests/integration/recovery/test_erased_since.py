"""What was erased after a backup was made is erased again when the backup is restored."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.exchange.desk import Desk
from tests.integration.exchange.test_erasing import asked, lying_about, sent, until_logged
from tests.integration.recovery.conftest import Drill


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
                await until_logged(desk, digest, *(["ERASED"] * (3 if desk is kaz and digest == own[1] else 1)))

    async def erased(own: bytes, received: bytes) -> None:
        kaz = Desk(folder, "kaz")
        async with kaz.channel:
            await until_logged(kaz, own, *["ERASED"] * 3)  # its own, and what the other two said
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
