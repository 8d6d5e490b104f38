"""What a program sets against a draft."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.recall_pb2 import Recall
from paiza.core.v1.message_pb2 import Handling, Header, Recipient
from paiza_client.sdk import drafts
from paiza_client.sdk.drafts import Overrides
from paiza_domain.drafts.drafts import Draft
from paiza_officer.errors import Refused

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def prepared(overrides: Overrides = drafts.UNCHANGED) -> drafts.Prepared:
    """Return a message to two members, one of whom it names an officer at."""
    content = FreeMessage(subject="Exercise", text="Invented.")
    recipients = (Recipient(member="tjk", attention="duty"), Recipient(member="uzb"))
    handling = Handling(tlp="GREEN", code="H1")
    draft = Draft(drafts.kind_of_content(content), content, recipients=recipients, handling=handling)
    return drafts.prepare(draft, "a test", overrides, NOW)


def test_the_kind_follows_from_the_content() -> None:
    """A program that has a content need not name its kind."""
    assert drafts.kind_of_content(Recall()).name == "recall"
    with pytest.raises(Refused):
        drafts.kind_of_content(Header())


def test_an_urgency_that_does_not_exist_is_refused() -> None:
    """No error of another library leaves the SDK."""
    with pytest.raises(Refused, match="invalid_draft"):
        prepared(Overrides(urgency="at once"))


def test_for_whom_a_message_is_stays_where_only_the_members_are_named() -> None:
    """Recipients named by a caller keep what the draft says of them."""
    named = prepared(Overrides(recipients=("kgz", "tjk"))).envelope.recipients
    assert [(each.member, each.attention) for each in named] == [("kgz", ""), ("tjk", "duty")]


def test_marks_are_raised_to_those_of_what_is_quoted_and_never_lowered() -> None:
    """The strictest of each mark remains, of parts with marks of their own too."""
    header = Header(handling=Handling(tlp="AMBER", code="H1", classification=2))
    header.parts.add(handling=Handling(tlp="RED", code="H2", classification=1))
    quoted: Any = SimpleNamespace(header=header)
    raised = drafts.raise_marks(prepared(), [quoted]).envelope.handling
    assert (raised.tlp, raised.code, raised.classification) == ("RED", "H2", 2)
    assert drafts.raise_marks(prepared(), []).envelope.handling == prepared().envelope.handling


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("тема: Казахстан".encode("cp1251"), "save it as UTF-8"),
        ("тема: Казахстан".encode("utf-16"), "save it as UTF-8"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "go with --attach"),
        (b"PK\x03\x04\x14\x00\x00", "go with --attach"),
    ],
)
def test_a_file_that_is_no_draft_is_named_for_what_it_is(data: bytes, said: str) -> None:
    """The remedy differs: another encoding is saved anew, a picture is attached."""
    with pytest.raises(Refused) as caught:
        drafts.decoded(data, "draft.yaml")
    assert said in caught.value.problems[0].what
