"""The last room on the disk: ordinary messages wait, urgent ones pass, and no caller uses up the room of others."""

from paiza_node.core.caller import CallerKey
from paiza_node.core.log.disk_reserve import CALLER_BYTES, COPIES, RESERVE_BYTES, DiskReserve

OFFICER, OTHER = CallerKey("officer", "liaison"), CallerKey("officer", "duty")
SIZE = 2 * 1024 * 1024


class Disk:
    """A disk with so much free."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.reserve = DiskReserve(lambda: self.free)
        self.reserve.begin()

    def take(self, caller: CallerKey, *, unhindered: bool = False, size: int = SIZE) -> bool:
        """Return whether a message may be stored."""
        refusal = self.reserve.refusal(caller, size, unhindered=unhindered)
        assert refusal is None or refusal.reason == "disk_full"
        return refusal is None


def test_ordinary_messages_leave_the_reserve() -> None:
    """Within one commit too, no more are accepted than leave it free."""
    disk = Disk(RESERVE_BYTES + 3 * COPIES * SIZE)
    assert [disk.take(OFFICER) for _ in range(5)] == [True, True, True, False, False]
    assert not disk.take(OTHER)


def test_urgent_messages_use_the_reserve_and_each_caller_a_share_of_it() -> None:
    """One who claims that everything is urgent has to wait at last; a colleague's urgent message passes."""
    disk = Disk(RESERVE_BYTES)
    accepted = sum(disk.take(OFFICER, unhindered=True) for _ in range(50))
    assert accepted == CALLER_BYTES // (COPIES * SIZE)
    disk.free -= accepted * COPIES * SIZE
    disk.reserve.begin()
    assert not disk.take(OFFICER, unhindered=True)
    assert disk.take(OTHER, unhindered=True)
    assert not disk.take(OTHER)


def test_with_room_again_everybody_goes_on() -> None:
    """What was used of the reserve is forgotten."""
    disk = Disk(RESERVE_BYTES)
    while disk.take(OFFICER, unhindered=True):
        pass
    disk.free = 4 * RESERVE_BYTES
    disk.reserve.begin()
    assert disk.take(OFFICER)
    disk.free = RESERVE_BYTES
    disk.reserve.begin()
    assert disk.take(OFFICER, unhindered=True)
