"""What is only tried is refused exactly where what is sent would be."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.recall_pb2 import Recall
from paiza.core.v1.message_pb2 import Handling, Recipient
from paiza_client.sdk import drafts, sending, templates
from paiza_client.sdk.drafts import Overrides, Prepared
from paiza_client.verify.model import Outcome
from paiza_domain.drafts.drafts import Draft
from paiza_officer.errors import Refused, misused
from tests.unit.paiza_client.sdk.made import NOW, composer, profile, register

KNOWN = register()


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "remember", lambda *_arguments: None)


def session(folder: Path) -> Any:
    """Return a session whose node takes everything, and whose member has one other officer, "duty"."""
    made = composer(folder, KNOWN)

    async def compose() -> Any:
        return made

    async def second(wanted: str, _kind: Any) -> tuple[str, str]:
        if wanted != "duty":
            raise misused(wanted, "no such officer")
        return "spiffe://kaz.east.example/officer/duty", "duty"

    async def submit(sealed: list[Any]) -> list[Outcome]:
        return [Outcome("released", sealed[0].digest)]

    return SimpleNamespace(
        composer=compose,
        submit=submit,
        attachments=SimpleNamespace(telling=nullcontext),
        approvals=SimpleNamespace(second=second),
        register=lambda: KNOWN,
        profile=profile(folder),
    )


@st.composite
def messages(draw: st.DrawFn) -> Prepared:
    """Draw a message, right or with any of the faults that a header and a content can have."""
    content: Any = draw(
        st.sampled_from([
            FreeMessage(subject="Exercise", text="Invented."),
            FreeMessage(subject="Exercise"),
            FreeMessage(subject=" ", text="x"),
            Recall(reason="other", measure="stop-using", explanation="x"),
        ])
    )  # fmt: skip
    members = draw(st.lists(st.sampled_from(["tjk", "uzb", "kgz", "kaz", "chn"]), max_size=3))
    draft = Draft(
        drafts.kind_of_content(content),
        content,
        recipients=tuple(Recipient(member=each) for each in members),
        handling=Handling(
            tlp=draw(st.sampled_from(["AMBER", "ORANGE"])), code="H2", classification=draw(st.integers(0, 3))
        ),
        legal_bases=tuple(draw(st.lists(st.sampled_from(["agreement-2006", "invented"]), max_size=2))),
    )
    second = draw(st.sampled_from(["", "duty", "nobody"]))
    urgency = draw(st.sampled_from(["", "urgent"]))
    prepared = drafts.prepare(draft, "draft", Overrides(urgency=urgency, second=second), NOW)
    in_thread = draw(st.booleans())
    parents = (bytes(32),) if in_thread else ()
    return replace(prepared, envelope=replace(prepared.envelope, thread_id=bytes(16), parent_digests=parents))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prepared=messages())
async def test_a_dry_run_refuses_what_sending_refuses(tmp_path: Path, prepared: Prepared) -> None:
    """Both end alike: with the same refusal, word for word, or with none."""

    async def refusal(work: Any) -> tuple[str, tuple[object, ...]] | None:
        try:
            await work
        except Refused as error:
            return error.reason, error.problems
        return None

    tried = await refusal(sending.check(session(tmp_path), prepared, now=NOW))
    sent = await refusal(sending.send(session(tmp_path), prepared, now=NOW))
    assert tried == sent


async def test_a_second_officer_who_is_none_is_told_with_the_other_faults(tmp_path: Path) -> None:
    """Nothing is told in instalments."""
    content = FreeMessage(subject="Exercise")
    draft = Draft(drafts.kind_of_content(content), content, recipients=(Recipient(member="kaz"),),
                  handling=Handling(tlp="AMBER", code="H2", classification=3), legal_bases=("invented",))  # fmt: skip
    prepared = drafts.prepare(draft, "draft", Overrides(second="nobody"), NOW)
    with pytest.raises(Refused) as refused:
        await sending.check(session(tmp_path), prepared, now=NOW)
    codes = {each.code for each in refused.value.problems}
    assert codes == {"usage", "missing", "recipient_own", "above_ceiling", "legal_basis_unknown"}
