"""A draft as a page edits it: loaded from its file, changed by what a form sends, saved as the same file.

The state of a page that no draft holds stands in its address: `open` names the groups that are still empty, `second`
the second officer, `keep_place` that pictures keep where they were taken, `check` that the page says what is wrong.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from paiza.core.v1 import message_pb2
from paiza_client import error_help
from paiza_client.compose.faults import SECOND
from paiza_client.language import _ as of_the_client
from paiza_client.local import reference_data
from paiza_client.sdk import Session, controlled_delivery, draft_store, drafts, sending, substances, templates
from paiza_client.sdk.draft_store import StoredDraft
from paiza_client.sdk.drafts import Overrides, Prepared
from paiza_client.web.language import _, language
from paiza_domain.codes import lookup
from paiza_domain.drafts.drafts import Draft
from paiza_domain.drafts.yaml_tree import TreeError
from paiza_domain.forms import checking, echoes, layout, values
from paiza_domain.forms.description import Description, Input, InputType, describe
from paiza_domain.forms.layout import Layout
from paiza_domain.reference import status
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import FieldProblem, Refused
from paiza_officer.profiles import Profile

CONTROL: Final = "_"
"""Begins the name of what a form sends that is no field of the draft."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What a page of a draft is told beside the draft."""

    open: tuple[str, ...] = ()
    second: str = ""
    keep_place: bool = False
    check: bool = False

    @classmethod
    def of(cls, query: Any) -> "Controls":
        """Read them from the query of an address or the fields of a form, with or without the sign of controls."""

        def one(name: str) -> str:
            return str(query.get(name, query.get(CONTROL + name, "")))

        return cls(tuple(query.getlist("open")), one("second"), one("keep_place") == "1", one("check") == "1")

    def query(self, **changes: Any) -> str:
        """Return them as the query of an address, with changes."""
        wanted: dict[str, Any] = {"second": self.second, "keep_place": self.keep_place, "check": self.check}
        wanted |= changes
        pairs = [("open", each) for each in changes.get("open", self.open)]
        pairs += [(name, str(int(text) if isinstance(text, bool) else text))
                  for name, text in wanted.items() if name != "open" and text]  # fmt: skip
        return f"?{urlencode(pairs)}" if pairs else ""


@dataclass(frozen=True)
class Page:
    """A draft in a form. ``strange``: what stands in the draft and has no field. ``broken``: why it is no draft.

    ``text`` is that of the file it was read from; empty where a form was.
    """

    stored: StoredDraft
    kind: Kind | None
    values: Mapping[str, str] = field(default_factory=dict)
    strange: tuple[tuple[str, str], ...] = ()
    broken: str = ""
    text: str = ""

    @property
    def version(self) -> str:
        """Return what tells the draft, as it was read, from what it is before and after."""
        return _version(self.text)

    @property
    def description(self) -> Description:
        """Return the description of its form."""
        assert self.kind is not None
        return describe(self.kind, language())


def load(profile: Profile, name: str, opened: Iterable[str] = ()) -> Page:
    """Return a draft as a form shows it; Refused as of `draft_store.read_text`."""
    stored = draft_store.find(profile, name)
    text = draft_store.read_text(profile, name)
    if stored.kind is None:
        return Page(stored, None, broken=text)
    try:
        found, strange = values.of_text(stored.kind, text)
    except TreeError as error:
        return Page(stored, stored.kind, broken=f"{error.error.line}: {error.error.message(language())}\n\n{text}")
    description = describe(stored.kind, language())
    found |= {each: "" for each in opened if layout.find(description, each) is not None and each not in found}
    return Page(stored, stored.kind, layout.completed(description, found), strange, text=text)


def begin(profile: Profile, kind: Kind, given: Mapping[str, str]) -> str:
    """Write a new draft with what is known; return its name."""
    name = draft_store.new_name(profile, kind)
    marks = {"handling.tlp": "AMBER", "handling.code": "H2", "handling.classification": "1"}
    urgency = {} if kind.workflow else {"urgency": "routine"}
    usual = urgency | ({} if kind.handling_for is not None else marks)
    description = describe(kind, language())
    known = usual | layout.in_zone(description, given, local_offset)
    filled = layout.initial(description, known, templates.known(profile))
    draft_store.write_text(profile, name, values.text_of(kind, filled))
    return name


def begin_with(profile: Profile, draft: Draft) -> str:
    """Write a draft under a new name; return the name."""
    name = draft_store.new_name(profile, draft.kind)
    draft_store.write_text(profile, name, drafts.write(draft))
    return name


def sent(kind: Kind, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values that a form sent; `values.UnknownNamesError` for names of no field."""
    wanted = ((name, text) for name, text in pairs if not name.startswith(CONTROL) and name != "form_token")
    description = describe(kind, language())
    given = layout.agreed(description, layout.understood(description, values.normalised(wanted), local_offset))
    values.text_of(kind, given)  # refuses what no form asks
    return given


def local_offset(local: datetime) -> timedelta:
    """Return how far ahead of UTC this machine's clock is at a local time."""
    return local.astimezone().utcoffset() or timedelta()


def save(profile: Profile, name: str, kind: Kind, given: Mapping[str, str], version: str) -> str:
    """Write the values of a form into the file of its draft, unless it is another by now; return its new version.

    ``version`` is that of the draft which the form was made of. Refused("draft_changed"): another window saved it, or
    the case system replaced it.
    """
    with draft_store.changing(profile):
        if version_of(profile, name) != version:
            raise Refused("draft_changed", name)
        draft_store.write_text(profile, name, values.text_of(kind, given))
        return version_of(profile, name)


def version_of(profile: Profile, name: str) -> str:
    """Return what tells a draft from what it was before and will be after."""
    return _version(draft_store.read_text(profile, name))


def version_as(kind: Kind, given: Mapping[str, str]) -> str:
    """Return the version of a draft that holds these values of a form."""
    return _version(values.text_of(kind, given))


def _version(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def still_empty(description: Description, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the groups that are in a form and hold nothing yet: the draft's file leaves them out."""
    return tuple(
        name
        for name, text in given.items()
        if not text and layout.find(description, name) is not None and values.is_blank(given, name)
    )


def show(page: Page, faults: Mapping[str, Sequence[str]], session: Session | None) -> Layout:
    """Return the form of a page filled in, with what was understood of each value."""
    index = None if session is None else reference_data.of(session.register()).index

    def echo(entered: Input, text: str) -> str:
        if entered.input_type is InputType.SUBSTANCE and index is not None:
            named = index.find(text).substances
            return "; ".join(_named(each) for each in named[:3])
        return echoes.echo(entered, text, language())

    return layout.lay_out(page.description, page.values, faults, language(), echo, local_offset)


def _named(substance: Any) -> str:
    return ", ".join(filter(None, (substance.name(language()), *(f"CAS {each}" for each in substance.cas[:1]))))


def check(page: Page, session: Session, controls: Controls) -> checking.Checked:
    """Return the draft that a page is, or what is wrong with it by field, as far as this machine knows."""
    assert page.kind is not None
    overrides = Overrides(second=controls.second)
    return checking.check(
        page.kind, page.values, language(), lambda text: drafts.examine(text, session.profile, overrides=overrides)
    )


def faults_of(kind: Kind, error: Refused) -> dict[str, list[str]]:
    """Return what a refused draft is refused for, by field; what is of no field is under ""."""
    found: dict[str, list[str]] = {}
    for each in error.problems:
        name = checking.name_of(kind, each.path) if each.path else ""
        found.setdefault(name, []).append(each.what)
    return found


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that could be sent as it is, and what an officer should know before."""

    prepared: Prepared
    warnings: tuple[str, ...] = ()


async def checked(
    session: Session, page: Page, controls: Controls
) -> tuple[Page, Mapping[str, Sequence[str]], Ready | None]:
    """Return the page as it was checked, what is wrong with it by field, and the message where nothing is."""
    kind = page.kind
    assert kind is not None
    read = check(page, session, controls)
    page = replace(page, values={**read.values, **_empty_groups(page)})
    faults: dict[str, list[str]] = {name: list(each) for name, each in read.faults.items()}
    if kind.workflow:  # these follow from the thread and the kind of step
        for name in ("to", "urgency_reason"):
            if not page.values.get(name):
                faults.pop(name, None)
    if not faults and read.draft is None:
        read = replace(read, draft=_examined(page, session, controls))
    if faults or read.draft is None:
        return page, _as_controls(faults), None
    try:
        return page, {}, await _prepared(session, page, read.draft, controls)
    except Refused as error:
        found = faults_of(kind, error)
        if error.reason in {"self_approval", "role_missing"} or not found:
            found.setdefault("_second" if controls.second else "", []).append(f"{_what(error)} {error.detail}".strip())
        return page, _as_controls(found), None


def _examined(page: Page, session: Session, controls: Controls) -> Draft | None:
    """Return the draft of a step, whose header is finished by its thread."""
    assert page.kind is not None
    text = values.text_of(page.kind, page.values)
    return drafts.examine(text, session.profile, overrides=Overrides(second=controls.second)).draft


def _as_controls(faults: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return faults by the names that the page uses: the second officer is chosen on it, and no field of the draft."""
    missing = faults.pop(SECOND, None)
    return faults | ({f"{CONTROL}second": [_("Two officers must sign: choose the second one.")]} if missing else {})


def _empty_groups(page: Page) -> dict[str, str]:
    """Return the groups that were opened and are still empty: they stay in the form."""
    return {
        name: ""
        for name in still_empty(page.description, page.values)
        if not name.endswith("]")  # entries are numbered anew
    }


async def _prepared(session: Session, page: Page, draft: Draft, controls: Controls) -> Ready:
    source = str(page.stored.path)
    overrides = Overrides(second=controls.second, strip_location=not controls.keep_place)
    if draft.kind.workflow != controlled_delivery.WORKFLOW:
        prepared = await asyncio.to_thread(drafts.prepare, draft, source, overrides)
        return Ready(await sending.check(session, prepared))
    if page.values.get("urgency"):  # else that of the kind of step
        name = message_pb2.Urgency.Name(draft.urgency).removeprefix("URGENCY_").lower()
        overrides = replace(overrides, urgency=name, reason_code=draft.urgency_reason)
    if draft.kind.name == controlled_delivery.REQUEST:
        prepared = controlled_delivery.request(draft, source, session.profile.member, overrides)
        return Ready(await sending.check(session, prepared))
    if not draft.parents:
        raise Refused("invalid_draft", source, problems=[FieldProblem("in_reply_to", fault("in_reply_to", "missing"))])
    delivery = await controlled_delivery.find(session, draft.parents[0])
    prepared = controlled_delivery.step_of_draft(delivery, replace(draft, parents=()), source, overrides)
    prepared = await sending.check(session, prepared)
    return Ready(prepared, tuple(controlled_delivery.warnings(delivery, prepared)))


def _what(error: Refused) -> str:
    return of_the_client(error_help.remedy(error.reason).what)


# Members and marks.


@dataclass(frozen=True, slots=True)
class Addressee:
    """A member that may be addressed."""

    id: str
    name: str
    chosen: bool


def addressees(session: Session, page: Page) -> tuple[list[Addressee], list[str]]:
    """Return the members that may be addressed, and the words of the draft that name none of them."""
    known = reference_data.members(session.profile)
    wanted = {known.find(each.strip()) for each in page.values.get("to", "").split("\n") if each.strip()}
    others = [each.id for each in session.register().active_members() if each.id != session.profile.member]
    found = [Addressee(each, name_of(session, each), each in wanted) for each in others]
    return sorted(found, key=lambda each: each.name), sorted(wanted - set(others))


def members(session: Session) -> list[tuple[str, str]]:
    """Return all active members, the own one included, as (id, name)."""
    return sorted(
        ((each.id, name_of(session, each.id)) for each in session.register().active_members()), key=lambda each: each[1]
    )


def name_of(session: Session, member: str) -> str:
    """Return the name of a member in the language in use."""
    known = session.register().members.get(member)
    return known.names.get(language(), member) if known is not None else member


@dataclass(frozen=True, slots=True)
class LawOf:
    """What the law of each state concerned says of a substance today: (state, sentence)."""

    name: str
    states: tuple[tuple[str, str], ...]


def law(session: Session, page: Page, shown: Layout) -> list[LawOf]:
    """Return the status of each substance of a form in the own state and those of its addressees."""
    data = reference_data.of(session.register())
    chosen = [each.id for each in addressees(session, page)[0] if each.chosen]
    states = substances.states_among([session.profile.member, *chosen])
    names = dict.fromkeys(
        text for box in boxes(shown) if box.input.input_type is InputType.SUBSTANCE for text in box.values
    )
    found: dict[str, LawOf] = {}
    today = drafts.writing_time().date()
    for name in names:
        for each in data.index.exact_matches(name):
            said = tuple(
                (name_of(session, at), status(data.reference, each.id, at, today).text(language())) for at in states
            )
            found[each.id] = LawOf(each.name(language()), said)
    return list(found.values())


def boxes(shown: Layout) -> Iterable[layout.Box]:
    """Yield every field of a form."""
    stack: list[Any] = [part for page in shown.pages for part in (page.block, *page.boxes, *page.more) if part]
    while stack:
        part = stack.pop(0)
        if isinstance(part, layout.Box):
            yield part
        else:
            stack[:0] = [below for entry in part.entries for below in (*entry.boxes, *entry.more)]


def lists(shown: Layout) -> dict[str, tuple[layout.Choice, ...]]:
    """Return the entries of the long code lists that a form searches, by name of the list."""
    wanted = {box.input.codes for box in boxes(shown) if box.input.input_type is InputType.CODE and not box.choices}
    return {name: layout.choices(name, language()) for name in sorted(wanted)}


def code_choices(list_name: str) -> tuple[layout.Choice, ...]:
    """Return the entries of a code list."""
    return layout.choices(list_name, language())


def code_of(list_name: str, text: str) -> str:
    """Return the code that a text of a draft means; the text where it means none."""
    return lookup.find(list_name, text) or text


def fault(path: str, code: str, **given: object) -> str:
    """Return the sentence of a fault of the draft."""
    return FieldError(path, code, given).message(language())
