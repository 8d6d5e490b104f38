"""The history of a message on its page: found together, however many corrections a member sends."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from paiza.core.v1 import message_pb2
from paiza_client.web.pages import message as page

if TYPE_CHECKING:
    from paiza_client.sdk import Session
    from paiza_client.sdk.model import MessageSummary

CORRECTIONS = 1200
PAGE = 500
THREAD = b"t" * 16


def _summary(number: int, **named: Any) -> "MessageSummary":
    header = message_pb2.Header(thread_id=THREAD, parent_digests=[] if number == 0 else [bytes(32)])
    every = {"recalled_by": (), "corrected_by": (), "replaced_by": b"", "id": f"{number:032x}", **named}
    return cast("MessageSummary", SimpleNamespace(digest=number.to_bytes(32, "big"), header=header, **every))


class Node:
    """A session whose node holds one thread, and counts how often it is asked."""

    def __init__(self, thread: "list[MessageSummary]") -> None:
        self.newest_first = thread[::-1]
        self.asked = 0

    async def list_messages(self, *, page_token: str = "", id_prefix: str = "", **_query: Any) -> Any:
        """Return a page of the thread, or the message of a digest."""
        self.asked += 1
        if id_prefix:
            found = [each for each in self.newest_first if each.digest.hex() == id_prefix or each.id == id_prefix]
            return SimpleNamespace(messages=tuple(found), next_token="")
        first = int(page_token or 0)
        more = first + PAGE < len(self.newest_first)
        shown = tuple(self.newest_first[first : first + PAGE])
        return SimpleNamespace(messages=shown, next_token=str(first + PAGE) if more else "")


async def test_many_corrections_cost_a_few_questions() -> None:
    """Each is named in order, and the node is asked for pages of the thread, not for every one of them."""
    corrections = [_summary(number) for number in range(1, CORRECTIONS + 1)]
    first = _summary(0, corrected_by=tuple(each.digest for each in corrections))
    node = Node([first, *corrections])
    found = await page._related(cast("Session", node), first)
    assert [each for _what, each in found] == corrections
    assert node.asked == 3
    told = await page._related(cast("Session", node), corrections[0])
    assert [each for _what, each in told] == [first]
    assert node.asked == 6


async def test_a_message_without_history_costs_none() -> None:
    """Nothing is asked for a message that begins its thread and that nothing follows."""
    node = Node([])
    assert await page._related(cast("Session", node), _summary(0)) == []
    assert node.asked == 0
