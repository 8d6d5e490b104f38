"""The history of a message on its page: found together, however many corrections a member sends."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from paiza.core.v1 import message_pb2
from paiza_client.web.pages import message as page

if TYPE_CHECKING:
    from paiza_client.sdk import Session
    from paiza_client.sdk.model import MessageSummary

CORRECTIONS = 1200
NAMED = 32  # by the node
PAGE = 500
THREAD = b"t" * 16


def _summary(number: int, **named: Any) -> "MessageSummary":
    kind, parents = ("note", []) if number == 0 else ("correction", [bytes(32)])
    header = message_pb2.Header(thread_id=THREAD, parent_digests=parents, kind=kind, author="tjk")
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
    first = _summary(0, corrected_by=tuple(each.digest for each in corrections[-NAMED:]))
    node = Node([first, *corrections])
    found = await page._related(cast("Session", node), first)
    assert [each for _what, each in found] == corrections[-NAMED:]
    assert node.asked == 3
    told = await page._related(cast("Session", node), corrections[0])
    assert [each for _what, each in told] == [first]
    assert node.asked == 6


async def test_a_recalled_correction_corrects_nothing() -> None:
    """Neither does one of a message of another member."""
    foreign, recalled = _summary(1), _summary(2, recalled_by=((1).to_bytes(32, "big"),))
    foreign.header.author = "uzb"
    node = Node([_summary(0), foreign, recalled])
    for each in (foreign, recalled):
        found = await page._related(cast("Session", node), each)
        assert [what for what, _each in found if what == "Corrects"] == []


async def test_versions_that_replace_each_other_end() -> None:
    """An author may let two messages replace each other, or many each the one before."""
    one, other = _summary(0, replaced_by=(1).to_bytes(32, "big")), _summary(1, replaced_by=bytes(32))
    found = await page._related(cast("Session", Node([one, other])), one)
    assert [(what, each.digest) for what, each in found] == [
        ("Earlier version", one.digest),
        ("Earlier version", other.digest),
        ("Replaced by", other.digest),
    ]
    chain = [_summary(n, replaced_by=(n + 1).to_bytes(32, "big")) for n in range(100)]
    last = _summary(100)
    found = await page._related(cast("Session", Node([*chain, last])), last)
    versions = [each for what, each in found if what == "Earlier version"]
    assert versions == chain[-page.VERSIONS :]


async def test_a_message_without_history_costs_none() -> None:
    """Nothing is asked for a message that begins its thread and that nothing follows."""
    node = Node([])
    assert await page._related(cast("Session", node), _summary(0)) == []
    assert node.asked == 0
