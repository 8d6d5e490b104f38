"""A trial refuses exactly what Submit refuses, in the same words, and leaves nothing behind but denials."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza.content.v1.recall_pb2 import Recall
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import officer_pb2
from paiza_node.core.exchange.send.trial import MAX_TRIALS
from paiza_node.features.approvals import store as approvals_store
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Unavailable
from tests import delivery
from tests.officer import Officer, subject_of, unsigned
from tests.unit.paiza_node.need_to_know.scene import OFFICER_SERVICE, digest_of
from tests.whole_node import STEP, WholeNode

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.")


@dataclass
class World:
    """The node of kaz with officers who sign, and the messages that it holds."""

    node: WholeNode
    officers: dict[str, Officer]
    peer: Officer
    sent: list[bytes] = field(default_factory=list)

    async def tried(self, name: str, raw: bytes, row: bytes = b"") -> officer_pb2.TryMessageResponse:
        """Try a message that is signed, without its signature."""
        item = officer_pb2.SubmitItem(message=unsigned(raw), source_row_sha256=row)
        request = officer_pb2.TryMessageRequest(item=item)
        (answer,) = await self.node.call(OFFICER_SERVICE + "TryMessage", self.node.officer(name), request)
        assert isinstance(answer, officer_pb2.TryMessageResponse)
        return answer

    async def submitted(self, name: str, raw: bytes, row: bytes = b"") -> officer_pb2.SubmitResult:
        """Submit it."""
        item = officer_pb2.SubmitItem(message=raw, source_row_sha256=row)
        (answer,) = await self.node.call(
            OFFICER_SERVICE + "Submit", self.node.officer(name), officer_pb2.SubmitRequest(items=[item])
        )
        assert isinstance(answer, officer_pb2.SubmitResponse)
        if answer.results[0].WhichOneof("result") == "released":
            self.sent.append(raw)
        return answer.results[0]

    def stored(self) -> tuple[int, int, int]:
        """Return how many messages and approvals are stored, and how many entries there are but for denials."""
        with self.node.store.reads() as reads:
            waiting = len(approvals_store.waiting_approvals(reads))
        kept = [each for each in self.node.entries() if each.event != log_pb2.LOG_EVENT_DENIED]
        return self.node.ledger.last_seq, waiting, len(kept)

    def denials(self) -> list[str]:
        """Return the reasons of all denials."""
        return [log_entries.reason(each) for each in self.node.entries() if each.event == log_pb2.LOG_EVENT_DENIED]


def said(result: officer_pb2.SubmitResult | officer_pb2.TryMessageResponse) -> tuple[object, ...]:
    """Return what a caller is told: refused, why and by which rules; whom it waits for; or nothing."""
    match result.WhichOneof("result"):
        case "rejection":
            breaches = [(each.rule, dict(each.values)) for each in result.breaches]
            return result.rejection.reason, result.rejection.detail, breaches, result.earlier_message_digest
        case "retry":
            return (result.retry.reason,)
        case "waiting":
            assert isinstance(result, officer_pb2.SubmitResult)
            return "waits", list(result.waiting.missing_signers)
        case "acceptable":
            assert isinstance(result, officer_pb2.TryMessageResponse)
            return ("waits", list(result.acceptable.missing_signers)) if result.acceptable.missing_signers else ()
    return ()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(federation: Path) -> AsyncIterator[World]:
    """The node with a request of tjk and one of its own, and a delivery that has begun."""
    folder = federation.parent
    with WholeNode(federation, "kaz", folder / "tried", duty_unit="duty-desk") as node:
        names = ("liaison", "authoriser", "duty", "auditor")
        made = World(
            node, {name: Officer(federation, f"kaz-{name}") for name in names}, Officer(federation, "tjk-liaison")
        )
        made.sent.append(_request(made.peer, "kaz"))
        node.receive(made.sent[0])
        for raw in (_request(made.officers["liaison"], "tjk"), _delivery(made.officers["liaison"])):
            assert said(await made.submitted("liaison", raw)) == ()
        yield made


def _request(officer: Officer, to: str) -> bytes:
    header = officer.header([to])
    header.kind = "information-request"
    return officer.seal(header, InformationRequest(reference="EX-1", subject="Exercise", facts="x").SerializeToString())


def _delivery(officer: Officer) -> bytes:
    content = delivery.request(("kaz", "tjk"), datetime.now(UTC))
    return delivery.seal(officer, delivery.header(officer, "cd-request", ["tjk"]), content)


CONTENTS: Final[dict[str, Message]] = {
    "free-message": BODY,
    "information-request": InformationRequest(reference="EX-2", subject="Exercise", facts="x"),
    "information-answer": InformationAnswer(),
    "acknowledgement": Acknowledgement(),
    "recall": Recall(reason="other", measure="stop-using", explanation="x"),
    "erasure-request": Recall(),
    "correction": Recall(),
    "cd-stop": delivery.stop(),
    "cd-activation": delivery.activation(datetime.now(UTC)),
    "cd-plan": delivery.plan(("kaz", "tjk"), datetime.now(UTC)),
}


RIGHT: Final[dict[str, Any]] = {
    "officer": "liaison", "role": "liaison", "kind": "free-message", "to": ["tjk"], "tlp": "AMBER", "classification": 0,
    "parents": "none", "second": "", "exercise": False, "unwrapped": False, "register": True, "row": b"",
}  # fmt: skip
WRONG: Final[dict[str, list[Any]]] = {
    "officer": ["authoriser", "duty", "auditor"],
    "role": ["authoriser", "duty"],
    "to": [["kaz"], []],
    "tlp": ["RED", "CLEAR", "PINK"],
    "classification": [1, 4],
    "parents": ["received", "own", "delivery", "unknown"],
    "second": ["duty", "authoriser"],
    "exercise": [True],
    "unwrapped": [True],
    "register": [False],
    "row": [b"\1" * 32, b"\2" * 32, b"short"],
}


@st.composite
def submissions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a message says: of any kind, in any thread, and with up to two more things that may be wrong."""
    drawn = RIGHT | {"kind": draw(st.sampled_from(sorted(CONTENTS)))}
    drawn["parents"] = draw(st.sampled_from(["none", *WRONG["parents"]]))
    for name in draw(st.lists(st.sampled_from(sorted(WRONG)), max_size=2)):
        drawn[name] = draw(st.sampled_from(WRONG[name]))
    return drawn


def _sealed(world: World, drawn: dict[str, Any]) -> bytes:
    officer = world.officers[drawn["officer"]]
    header = officer.header(drawn["to"], role=drawn["role"])
    header.kind = drawn["kind"]
    header.handling.tlp = drawn["tlp"]
    header.handling.classification = drawn["classification"]
    header.exercise = drawn["exercise"]
    if not drawn["register"]:
        header.register_version = bytes(32)
    index = {"received": 0, "own": 1, "delivery": 2}.get(drawn["parents"])
    if index is not None:
        parent = pb.SignedMessage.FromString(world.sent[index])
        header.thread_id = wire.parse_header(parent.header).thread_id
        header.parent_digests.append(digest_of(world.sent[index]))
    elif drawn["parents"] == "unknown":
        header.thread_id = wire.new_message_id(datetime.now(UTC))
        header.parent_digests.append(b"\7" * 32)
    if drawn["second"] and drawn["second"] != drawn["officer"]:
        header.required_signers.add(id=world.officers[drawn["second"]].id, role=drawn["second"])
    content = CONTENTS[drawn["kind"]].SerializeToString()
    moment = header.author_time.ToDatetime(tzinfo=UTC)
    members = [*drawn["to"], "kaz"]
    keys = [officer.recipient_key(each, moment) for each in members]
    sealed = wire.seal(header, [wire.PlainPart(pb.PART_KIND_MAIN, content)], keys, subject=subject_of(header, content))
    raw = pb.SignedMessage.FromString(wire.sign(sealed, [officer.signer]))
    if drawn["unwrapped"]:
        del raw.wraps[-1]
    return raw.SerializeToString(deterministic=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=submissions())
async def test_a_trial_refuses_what_submit_refuses(world: World, drawn: dict[str, Any]) -> None:
    """Reason, detail and broken rules are the same, nothing is stored, and the same denials are logged."""
    raw, row = _sealed(world, drawn), drawn["row"]
    stored, denied = world.stored(), world.denials()
    tried = said(await world.tried(drawn["officer"], raw, row))
    of_trial = world.denials()[len(denied) :]
    assert world.stored() == stored
    assert said(await world.submitted(drawn["officer"], raw, row)) == tried
    assert world.denials()[len(denied) + len(of_trial) :] == of_trial


STEPS: Final[dict[str, Message]] = {name: each for name, each in CONTENTS.items() if name.startswith("cd-")}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(["cd-authorisation", *STEPS]), min_size=1, max_size=5))
async def test_a_trial_of_a_step_breaks_the_rules_that_submit_names(world: World, kinds: list[str]) -> None:
    """In every state that a delivery comes to, a step is tried as it is submitted; tjk alone authorises."""
    officer = world.officers["liaison"]
    begun = _delivery(officer)
    assert said(await world.submitted("liaison", begun)) == ()
    thread, last = wire.parse_header(pb.SignedMessage.FromString(begun).header).thread_id, digest_of(begun)
    for kind in kinds:
        author = world.peer if kind == "cd-authorisation" else officer
        to = "kaz" if author is world.peer else "tjk"
        header = delivery.header(author, kind, [to], thread=thread, parents=[last])
        if author is world.peer:
            raw = delivery.seal(author, header, delivery.authorisation(("kaz", "tjk"), datetime.now(UTC)))
            world.node.receive(raw)
        else:
            raw = delivery.seal(author, header, STEPS[kind])
            tried = said(await world.tried("liaison", raw))
            result = said(await world.submitted("liaison", raw))
            assert result == tried
            if result:
                continue
        last = digest_of(raw)


async def test_a_trial_is_not_signed_and_never_submitted(world: World) -> None:
    """A signed message is no trial, and what was tried is no message: nothing can be made of it but by signing it."""
    raw = world.officers["liaison"].compose(["tjk"])
    request = officer_pb2.TryMessageRequest(item=officer_pb2.SubmitItem(message=raw))
    (answer,) = await world.node.call(OFFICER_SERVICE + "TryMessage", world.node.officer("liaison"), request)
    assert isinstance(answer, officer_pb2.TryMessageResponse)
    assert answer.rejection.reason == "wrong_signers"
    assert said(await world.submitted("liaison", unsigned(raw)))[0] == "bad_signature"
    other = pb.SignedMessage.FromString(unsigned(raw))
    assert (await world.tried("duty", other.SerializeToString())).rejection.reason == "wrong_signers"


async def test_trials_of_one_officer_are_bounded(world: World) -> None:
    """Beyond so many in a minute an officer waits, and another does not."""
    raw = world.officers["liaison"].compose(["tjk"])
    request = officer_pb2.TryMessageRequest(item=officer_pb2.SubmitItem(message=unsigned(raw)))

    async def tries(name: str) -> list[Message]:
        method = OFFICER_SERVICE + "TryMessage"
        return await world.node.call(method, world.node.officer(name), request, step=timedelta(milliseconds=1))

    await tries("liaison")
    world.node.ahead += STEP
    for _ in range(MAX_TRIALS):
        await tries("liaison")
    with pytest.raises(Unavailable, match="busy"):
        await tries("liaison")
    await tries("duty")
