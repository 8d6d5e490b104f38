"""The target of all contents: the validators of every kind of message, and whatever reads a content that is valid."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Final

from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from paiza_domain import kinds
from paiza_domain.i18n import LANGUAGES
from paiza_domain.schema.kind import Kind
from paiza_domain.terms.index_terms import terms
from tests import delivery
from tests.fuzz.mutating import mutate_encoded, mutate_message
from tests.fuzz.target import Target, demand
from tests.unit.paiza_domain.strategies import messages

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
LENGTH_BYTES: Final = 4
EXAMPLES: Final = 12  # made at random for each kind
MEMBERS: Final = ("tjk", "uzb", "kaz")
VALID: Final[Mapping[str, Message]] = {
    "cd-request": delivery.request(MEMBERS, NOW),
    "cd-authorisation": delivery.authorisation(MEMBERS, NOW),
    "cd-plan": delivery.plan(MEMBERS, NOW),
    "cd-activation": delivery.activation(NOW),
    "cd-stop": delivery.stop(),
    "cd-acknowledgement": delivery.acknowledgement(bytes(32)),
}
"""Contents whose fields must fit each other."""


def content_targets() -> Iterator[Target]:
    """Return the target: an input is the number of a kind, the length of its content, the content, an annex."""
    every = list(kinds.all_kinds().values())

    def run(data: bytes) -> bool:
        found = _read(every, data)
        if found is None:
            return False
        kind, content, annex = found
        if kind.validate(content, annex, NOW):
            return False
        again = kind.content.FromString(content.SerializeToString(deterministic=True))
        demand(not kind.validate(again, annex, NOW), f"{kind.name}: read again it is not valid")
        demand(kind.subject_of(content) == kind.subject_of(again), f"{kind.name}: it has two subjects")
        demand(terms(kind, content, annex) == terms(kind, again, annex), f"{kind.name}: it has two sets of terms")
        for lang in LANGUAGES:
            demand("\n" not in kind.summary(content, lang), f"{kind.name}: a summary of two lines")
            kind.show(content, lang)
            kind.remarks(content, NOW, lang)
            if annex is not None:
                kind.show_annex(annex, lang)
        return True

    def mutate(random: Random, data: bytes) -> bytes:
        found = _read(every, data)
        if found is None:
            return bytes([random.randrange(len(every))]) + bytes(LENGTH_BYTES)
        kind, content, annex = found
        if annex is not None and random.randrange(2):
            mutate_message(random, annex)
            return _encoded(every, kind, content, annex)
        changed = mutate_encoded(kind.content)(random, content.SerializeToString(deterministic=True))
        tail = b"" if annex is None else annex.SerializeToString(deterministic=True)
        return data[:1] + len(changed).to_bytes(LENGTH_BYTES) + changed + tail

    seeds = [seed for kind in every for seed in _seeds(every, kind)]
    yield Target("contents", run, seeds, mutate, executions=2000, seeds_accepted=False)


def _read(every: list[Kind], data: bytes) -> tuple[Kind, Message, Message | None] | None:
    if len(data) <= LENGTH_BYTES:
        return None
    kind = every[data[0] % len(every)]
    end = 1 + LENGTH_BYTES + int.from_bytes(data[1 : 1 + LENGTH_BYTES])
    try:
        content = kind.content.FromString(data[1 + LENGTH_BYTES : end])
        annex = kind.annex.FromString(data[end:]) if kind.annex is not None and data[end:] else None
    except DecodeError:
        return None
    return kind, content, annex


def _encoded(every: list[Kind], kind: Kind, content: Message, annex: Message | None) -> bytes:
    data = content.SerializeToString(deterministic=True)
    tail = b"" if annex is None else annex.SerializeToString(deterministic=True)
    return bytes([every.index(kind)]) + len(data).to_bytes(LENGTH_BYTES) + data + tail


def _seeds(every: list[Kind], kind: Kind) -> list[bytes]:
    """Return contents of a kind: valid ones where some are found, else those whose fields are sound by themselves."""
    made: list[tuple[Message, Message | None]] = [(VALID[kind.name], None)] if kind.name in VALID else []
    annexes = st.none() if kind.annex_shape is None else st.one_of(st.none(), messages(kind.annex_shape))

    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(messages(kind.shape), annexes)
    def collect(content: Message, annex: Message | None) -> None:
        if annex is None or annex.ListFields():
            kind.derive(content)
            made.append((content, annex))

    collect()
    valid = [each for each in made if not kind.validate(*each, NOW)]
    chosen = sorted({_encoded(every, kind, *each) for each in valid or made}, key=len)
    return [*chosen[:2], *chosen[-1:]]
