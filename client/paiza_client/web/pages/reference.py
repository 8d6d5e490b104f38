"""Directory, Substances and Law: who can be reached, what a substance is in each state, which law is shared."""

from datetime import UTC, date, datetime
from typing import Any, Final

from babel import Locale
from starlette.requests import Request
from starlette.responses import Response

from paiza_client.language import date_text
from paiza_client.local import reference_data
from paiza_client.sdk import directories
from paiza_client.web.language import N_, _, language
from paiza_client.web.page import render, route, session_of
from paiza_client.web.texts import member_name
from paiza_domain import reference
from paiza_domain.directory import ALL, State, hours_text
from paiza_domain.reference import BorderPoint, SharedBasis, Standing
from paiza_domain.reference.model import Evidence, InternationalControl, Period

_CONTACTS: Final = {"email": N_("e-mail"), "telephone": N_("telephone")}


async def directory(request: Request) -> Response:
    """List the members with who is on duty, their officers and their contacts."""
    session = session_of(request)
    register, now = session.register(), datetime.now(UTC)
    known = directories.of(register)
    spoken = Locale(language()).languages
    members = []
    for member, published in known.published.items():
        found, listed = published.directory, register.members.get(member)
        members.append(
            {
                "id": member,
                "status": "" if listed is None else listed.status,
                "usable": published.state is not State.UNUSABLE,
                "errors": [each.message(language()) for each in published.errors],
                "duty": [_shift(found, each) for each in known.on_duty(member, now)]
                if found.duty is not None
                else None,
                "desk": _contacts({} if found.duty is None else found.duty.contacts),
                "officers": [
                    {
                        "name": each.name,
                        "covers": ", ".join(
                            (*(_("all members") if of == ALL else member_name(of) for of in each.covers), *each.kinds)
                        ),
                        "languages": ", ".join(spoken.get(code, code) for code in each.languages),
                        "hours": _("at any hour") if each.hours is None else hours_text(each.hours),
                        "contacts": _contacts(each.contacts),
                        "until": date_text(each.expiry),
                        "expired": each.is_expired(now.date()),
                    }
                    for each in found.officers
                ],
            }
        )
    return await render(request, "directory.html", title=_("Directory"), place="directory", members=members)


async def substances(request: Request) -> Response:
    """Look up a substance by any name or number, and show its status in each state."""
    session, query = session_of(request), request.query_params.get("q", "").strip()
    known = reference_data.of(session.register())
    today = datetime.now(UTC).date()
    found = known.index.find(query) if query else None
    return await render(
        request,
        "substances.html",
        title=_("Substances"),
        place="substances",
        query=query,
        found=[] if found is None else [_substance(known.reference, each, today) for each in found.substances],
        suggestions=() if found is None else found.suggestions,
        groups=_catalogue(known.reference) if not query else [],
        today=date_text(today),
    )


async def law(request: Request) -> Response:
    """Show the legal bases that two states share, and the border points between them."""
    session, given = session_of(request), request.query_params
    known = reference_data.of(session.register()).reference
    states = sorted({*known.states(), *reference.participants(known)})
    first, second = given.get("first", ""), given.get("second", "")
    subject = given.get("subject", "")
    chosen = first in states and second in states and first != second
    subjects = reference.subjects(known)
    pair = (first, second)
    on, about = datetime.now(UTC).date(), subject if subject in subjects else ""
    bases = reference.shared_bases(known, pair, about, on) if chosen else ()
    return await render(
        request,
        "law.html",
        title=_("Law"),
        place="law",
        states=states,
        first=first,
        second=second,
        subject=subject,
        subjects=[(each, _(SUBJECTS[each]) if each in SUBJECTS else each) for each in subjects],
        chosen=chosen,
        bases=[_basis(each, pair) for each in bases],
        crossings=[_crossing(each) for each in reference.crossings(known, first, second)] if chosen else [],
    )


SUBJECTS: Final = {
    "controlled-delivery": N_("controlled delivery"),
    "cooperation": N_("cooperation"),
    "legal-assistance": N_("legal assistance"),
    "pre-export-notification": N_("pre-export notification"),
    "scheduling": N_("decisions on schedules"),
}
_CROSSINGS: Final = {
    "road": N_("road"), "rail": N_("rail"), "river": N_("river"), "sea": N_("sea"), "air": N_("air"),
}  # fmt: skip


def _contacts(contacts: Any) -> list[tuple[str, str]]:
    return [(_(_CONTACTS[name]) if name in _CONTACTS else name, value) for name, value in contacts.items()]


def _shift(found: Any, shift: Any) -> dict[str, Any]:
    officer = found.officer(shift.officer)
    name = ", ".join(filter(None, (officer.name if officer is not None else "", shift.name))) or _("duty desk")
    return {"name": name, "until": shift.interval.end, "contacts": _contacts(found.contacts_of(shift))}


def _substance(known: Any, found: Any, on: date) -> dict[str, Any]:
    control = reference.international(known, found.id, on, None)
    names = dict.fromkeys((*found.names.values(), found.inn, *found.synonyms))
    statuses = [reference.status(known, found.id, state, on, None) for state in known.states()]
    return {
        "name": found.name(language()),
        "facts": [
            (label, text)
            for label, text in (
                (
                    _("Other names"),
                    ", ".join(filter(None, names)),
                ),
                (_("Street names"), ", ".join(found.street)),
                ("CAS", reference.with_standing(found.cas, found.evidence, language())),
                ("HS", f"{', '.join(found.hs)} ({_standing(found.hs_evidence)})" if found.hs else ""),
                (_("Note"), found.note.get(language(), "")),
                (_("Source"), _evidence(found.evidence)),
            )
            if text
        ],
        "schedules": [_schedule(each) for each in (*control.entries, *control.undated)],
        "statuses": [(each.state, each.text(language())) for each in statuses],
    }


def _schedule(found: InternationalControl) -> tuple[str, str, str]:
    return found.schedule_name(language()), _days(found.valid), _evidence(found.evidence)


def _catalogue(known: Any) -> list[str]:
    return sorted(each.name(language()) for each in known.substances.values())


def _basis(found: SharedBasis, pair: tuple[str, str]) -> dict[str, Any]:
    basis = found.basis
    parties = [(state, basis.parties[state]) for state in pair]
    return {
        "title": basis.titles[language()],
        "days": _days(basis.valid),
        "parties": [(state, _days(each.valid), _standing(each.evidence)) for state, each in parties],
        "provisions": [each.requires[language()] for each in found.provisions],
        "source": _evidence(basis.evidence),
    }


def _crossing(found: BorderPoint) -> tuple[str, str, str, str]:
    return found.name(language()), _(_CROSSINGS[found.kind]), found.id, _evidence(found.evidence)


def _days(span: Period) -> str:
    if not (span.begin and span.end):
        since = _("since {day}").format(day=_day(span.begin)) if span.begin else ""
        return _("until {day}").format(day=_day(span.end)) if span.end else since
    return f"{_day(span.begin)} – {_day(span.end)}"


def _day(text: str) -> str:
    return date_text(date.fromisoformat(text)) if len(text) == len("2026-11-23") else text


def _evidence(evidence: Evidence) -> str:
    return f"{evidence.source} ({_standing(evidence)})"


def _standing(evidence: Evidence) -> str:
    word = evidence.standing.text(language())
    if evidence.standing is Standing.DOUBTFUL:
        return f"{word}: {evidence.doubt.get(language()) or next(iter(evidence.doubt.values()))}"
    return f"{word}, {_day(evidence.compared)}" if evidence.compared else word


ROUTES: Final = (route("/directory", directory), route("/substances", substances), route("/law", law))
