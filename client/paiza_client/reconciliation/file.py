"""A comparison as one file: every question and answer, and the register, so that anybody can compare again offline.

Only verified content counts: each answer is bound to its question by the log that gave it, each entry is
proven, and the comparison is made anew by the same steps. Only when it was made (which decides what is late) is the
word of the maker of the file.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import log_query_pb2 as pb
from paiza_client.evidence import container
from paiza_client.reconciliation.compare import Comparison, Result
from paiza_client.reconciliation.log_queries import Answer, Question, go_on
from paiza_client.reconciliation.plan import compare_logs
from paiza_client.verify.log_query_checks import Query, VisiblePage, check_page
from paiza_client.verify.logs import LogReader, Registers
from paiza_officer.errors import NotProven, located
from paiza_register import load_set
from paiza_wire.tlog import log_queries

WHAT: Final = "comparison.json"
ANSWERS: Final = "answers/"
REGISTER: Final = "register/"
MAX_TEXT_BYTES: Final = 4 * 1024  # of comparison.json


@dataclass(frozen=True, slots=True)
class Made:
    """The officer, members and time of a comparison, as stated; the answers prove ``officer`` of ``own``."""

    comparison: Comparison
    own: str
    officer: str
    now: datetime


def pack(made: Made, answers: Sequence[Answer], files: Mapping[str, bytes], root: bytes) -> bytes:
    """Make the file, and compare again from it as any reader will; what does not hold is not written."""
    comparison = made.comparison
    what = {
        "one": comparison.one,
        "other": comparison.other,
        "since": comparison.since.isoformat(),
        "until": comparison.until.isoformat(),
        "allowed_seconds": int(comparison.allowed.total_seconds()),
        "own": made.own,
        "officer": made.officer,
        "now": made.now.isoformat(),
        "members": [answer.member for answer in answers],
    }
    members = {WHAT: json.dumps(what, sort_keys=True).encode()}
    for number, answer in enumerate(answers):
        members[f"{ANSWERS}{number:05}.query"] = answer.query
        members[f"{ANSWERS}{number:05}.page"] = answer.page
    members.update({REGISTER + path: data for path, data in files.items()})
    data = container.pack(members, {"comparison": f"{comparison.one} {comparison.other}"})
    check(data, root)
    return data


def check(data: bytes, root: bytes) -> tuple[Made, Result]:
    """Compare again from a file (`container.read_file`), trusting only the bootstrap root; nobody is asked.

    NotProven names the first thing that does not hold. Where an event loop runs, call it from a thread.

    1. The container is in order, and holds nothing that is not part of a comparison.
    2. The set of the register is whole and comes from the root of trust.
    3. Every question that the comparison asks was asked, in its order, and answered; no answer is left over.
    """
    # 1.
    members = container.unpack(data)
    for name in members:
        if name != WHAT and not name.startswith((ANSWERS, REGISTER)):
            raise NotProven("bad_evidence", name, "a member of no known purpose")
    made, answers = _read(members)
    # 2.
    files = {name.removeprefix(REGISTER): each for name, each in members.items() if name.startswith(REGISTER)}
    with located(REGISTER, NotProven):
        registers = Registers(load_set(files, root, None))
    # 3.
    kept = _Kept(made, answers, registers)
    result = asyncio.run(compare_logs(kept, made.comparison, own=made.own, now=made.now))
    kept.check_all_used()
    return made, result


class _Kept:
    """Answers of before, given again to the same questions."""

    def __init__(self, made: Made, answers: Sequence[Answer], registers: Registers) -> None:
        self._made = made
        self._answers = list(enumerate(answers))
        self._registers = registers

    async def pages(self, member: str, question: Question) -> AsyncIterator[VisiblePage]:
        for query in question.queries():
            while True:
                page = self._next(member, query)
                yield page
                if page.complete:
                    break
                go_on(query, page)

    def check_all_used(self) -> None:
        if self._answers:
            raise NotProven("bad_evidence", f"{ANSWERS}{self._answers[0][0]:05}", "an answer that nothing asked for")

    def _next(self, member: str, wanted: pb.EntryQuery) -> VisiblePage:
        if not self._answers:
            raise NotProven("proof_missing", member, "an answer that the comparison needs is missing")
        number, answer = self._answers.pop(0)
        where = f"{ANSWERS}{number:05}"
        with located(where, NotProven):
            asked = log_queries.parse_entry_query(answer.query)
            asked.nonce, asked.page_size = wanted.nonce, wanted.page_size
        if answer.member != member or asked != wanted:
            raise NotProven("bad_evidence", where, "the question is not the one that the comparison asks here")
        try:
            page = pb.EntriesPage.FromString(answer.page)
        except DecodeError:
            raise NotProven("bad_evidence", where, "the answer is not of the protocol") from None
        said = Query(self._made.own, self._made.officer, member, answer.query)
        return check_page(page, said, LogReader(self._registers))


def _read(members: Mapping[str, bytes]) -> tuple[Made, list[Answer]]:
    try:
        text = members[WHAT]
        if len(text) > MAX_TEXT_BYTES + 64 * len(members):
            raise NotProven("too_large", WHAT, "it says more than a comparison needs")
        what = json.loads(text)
        comparison = Comparison(
            str(what["one"]),
            str(what["other"]),
            _time(what["since"]),
            _time(what["until"]),
            timedelta(seconds=int(what["allowed_seconds"])),
        )
        made = Made(comparison, str(what["own"]), str(what["officer"]), _time(what["now"]))
        answers = [
            Answer(str(member), members[f"{ANSWERS}{number:05}.query"], members[f"{ANSWERS}{number:05}.page"])
            for number, member in enumerate(what["members"])
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise NotProven("bad_evidence", WHAT, "it cannot be read, or an answer it names is missing") from error
    if sum(name.startswith(ANSWERS) for name in members) != 2 * len(answers):
        raise NotProven("bad_evidence", ANSWERS, "an answer that is not named")
    return made, answers


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
