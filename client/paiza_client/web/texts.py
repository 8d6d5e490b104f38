"""What templates say of times, members, marks and messages, in the language in use."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from babel.dates import format_date
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import message_pb2
from paiza.core.v1.text_pb2 import BilingualText
from paiza.officer.v1 import workflow_pb2
from paiza_client import error_help
from paiza_client.language import _ as of_the_client
from paiza_client.language import date_text, number_text
from paiza_client.local import reference_data
from paiza_client.sdk import breaches, wording
from paiza_client.sdk.as_json import URGENCIES
from paiza_client.sdk.model import MessageSummary
from paiza_client.web.language import N_, _, language
from paiza_domain import codes, formatting
from paiza_domain.forms.layout import Choice
from paiza_domain.schema import subjects
from paiza_domain.schema.reading import code_text
from paiza_register import Register
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId

_URGENT: Final = MappingProxyType({"FLASH": N_("Flash"), "URGENT": N_("Urgent"), "PRIORITY": N_("Priority")})
SHARED: Final = MappingProxyType({
    "plate": N_("plate"), "vin": N_("VIN"), "container": N_("container"), "vessel": N_("vessel"),
    "flight": N_("flight"), "waybill": N_("air waybill"), "carnet": N_("TIR carnet"), "seal": N_("seal"),
    "document": N_("document"), "personal-number": N_("personal number"), "account": N_("account"),
    "registration": N_("registration number"), "phone": N_("telephone"), "imei": N_("IMEI"), "person": N_("person"),
    "company": N_("company"), "logo": N_("logo"), "subject": N_("subject"), "substance": N_("substance"),
    "place": N_("place"), "country": N_("country"), "route": N_("route"), "name": N_("name"),
    "drug-group": N_("drug group"), "reference": N_("own number"),
})  # fmt: skip
"""Fields by which messages are searched and linked, in words."""
_levels: dict[int, Mapping[str, str]] = {}
_members: dict[str, Mapping[str, str]] = {}
_NAMING: Final = frozenset({"member", "members", "responsible"})  # values of broken rules
_TLP: Final = frozenset({"CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"})
_KILO: Final = 1000
_HOUR: Final = 60  # minutes
_DAY: Final = 24 * 60


def clock(moment: datetime) -> str:
    """Return a time of the last days as people say it: "02:31", "yesterday 23:30", "26 Nov 16:48"."""
    local, today = moment.astimezone(), datetime.now().astimezone().date()
    time = f"{local:%H:%M}"
    if local.date() == today:
        return time
    if local.date() == today - timedelta(days=1):
        return _("yesterday {time}").format(time=time)
    if local.date() == today + timedelta(days=1):
        return _("tomorrow {time}").format(time=time)
    return f"{short_date(local, today.year)} {time}"


def short_date(local: datetime, year: int) -> str:
    """Return a date without its year where that is the present one."""
    if language() == "ru":
        return f"{local:%d.%m}" if local.year == year else f"{local:%d.%m.%Y}"
    return format_date(local, "d MMM" if local.year == year else "d MMM y", locale="en_GB")


def utc(moment: datetime) -> str:
    """Return the time in UTC, with its day where that is another one than here; "UTC" alone where this place has it."""
    there, here = moment.astimezone(UTC), moment.astimezone()
    if not here.utcoffset():
        return "UTC"
    day = "" if there.date() == here.date() else f"{short_date(there, there.year)} "
    return f"{day}{there:%H:%M} UTC"


def machine(moment: datetime) -> str:
    """Return a time for programs."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def long_date(moment: datetime) -> str:
    """Return weekday, date and time of day here."""
    local = moment.astimezone()
    if language() == "ru":
        return f"{format_date(local, 'EEE', locale='ru')} {local:%d.%m.%Y, %H:%M}"
    return f"{format_date(local, 'EEE d MMM y', locale='en_GB')}, {local:%H:%M}"


def span(length: timedelta) -> str:
    """Return a span in its two largest units: "1 h 12 min", "2 days"."""
    minutes = int(abs(length).total_seconds()) // 60
    if minutes < _HOUR:
        return _("{n} min").format(n=minutes)
    if minutes < _DAY:
        hours, rest = divmod(minutes, _HOUR)
        return _("{h} h {m} min").format(h=hours, m=rest) if rest else _("{h} h").format(h=hours)
    return formatting.span_text(length, language())


def until(moment: datetime) -> str:
    """Return how long it is until a time, or since."""
    return span(moment - datetime.now(UTC))


def size(count: int) -> str:
    """Return a size of a file."""
    if count < _KILO:
        return _("{n} bytes").format(n=count)
    if count < _KILO * _KILO:
        return _("{n} kB").format(n=round(count / _KILO))
    return _("{n} MB").format(n=number_text(Decimal(count).scaleb(-6).quantize(Decimal("0.1"))))


def officer(identity: str) -> str:
    """Return the name of an officer from their id."""
    try:
        return SpiffeId.parse(identity).name
    except Rejected:
        return identity


def subject(message: MessageSummary) -> str:
    """Return the line that says what a message is: its subject, else its kind."""
    return subjects.text(message.subject, language()) or wording.kind_title(message.header)


def title(message: MessageSummary) -> str:
    """Return kind and subject of a message in one line: what a list shows."""
    name, about = wording.kind_title(message.header), subjects.text(message.subject, language())
    return f"{name}: {about}" if about else name


def kind_beside(message: MessageSummary) -> str:
    """Return the name of the kind, to stand beside the subject; empty where the subject says no more."""
    name = wording.kind_title(message.header)
    return "" if subject(message) == name else name


def kind(header: message_pb2.Header) -> str:
    """Return the name of a kind."""
    return wording.kind_title(header)


def urgency(header: message_pb2.Header) -> str:
    """Return the urgency as a code for classes: "flash", "urgent", "priority", or "" for what has no badge."""
    name = URGENCIES.get(header.urgency, "")
    return name.lower() if name in _URGENT else ""


def urgency_text(header: message_pb2.Header) -> str:
    """Return the name of an urgency that has a badge."""
    name = URGENCIES.get(header.urgency, "")
    return _(_URGENT[name]) if name in _URGENT else ""


def tlp_class(tlp: str) -> str:
    """Return the part of a class name that stands for a TLP mark."""
    return tlp.lower().replace("+", "-") if tlp in _TLP else "unknown"


def use_register(register: Register, own: str) -> None:
    """Name members and levels as a register does; one process serves one officer, of the member ``own``."""
    _members.clear()
    _members.update({member: found.names for member, found in register.members.items()})
    _levels.clear()
    _levels.update(reference_data.level_names(register, own))


def member_name(member: str) -> str:
    """Return the name of a member, or of a state that is none, in the language in use; its id where it has none."""
    if member in _members:
        return _members[member].get(language(), member)
    return code_text("country", member.upper(), language()) if member.upper() in codes.load("country") else member


def breach(found: workflow_pb2.WorkflowBreach) -> str:
    """Return the sentence for a broken rule, with the names of members."""
    named = workflow_pb2.WorkflowBreach(rule=found.rule, values=found.values)
    for name in _NAMING & set(found.values):
        named.values[name] = ", ".join(member_name(each) for each in found.values[name].split(", "))
    return breaches.text(named)


def level(number: int) -> str:
    """Return the name of a classification level, by the own member's name of it."""
    return _levels.get(number, {}).get(language(), "") or _("level {n}").format(n=number)


def limits(mark: message_pb2.Handling) -> str:
    """Return a mark on one line, with the own member's name of its level."""
    return wording.handling(mark, level=level(mark.classification))


def code(value: str, list_name: str) -> str:
    """Return the text of a code."""
    return code_text(list_name, value, language())


def shared(field: str) -> str:
    """Return the name of a field by which messages are found or linked."""
    return _(SHARED[field]) if field in SHARED else field


def reason(code: str) -> str:
    """Return what a reason code says, in words; a text that is none as it is."""
    return of_the_client(error_help.REMEDIES[code].what) if code in error_help.REMEDIES else code


def cell(value: int | Decimal | str) -> str:
    """Return a cell of a table of numbers as the language writes it."""
    return value if isinstance(value, str) else number_text(value)


def said(both: BilingualText) -> str:
    """Return a text of the node in the language in use."""
    return both.ru if language() == "ru" else both.en


def stamp(time: Timestamp) -> datetime:
    """Return a time of the protocol as an aware time."""
    return time.ToDatetime(tzinfo=UTC)


def apply(value: str, function: Callable[[str], str]) -> str:
    """Return what a function makes of a value, for lists."""
    return function(value)


def stamp_when(stamp: Timestamp) -> str:
    """Return a time of the protocol in full, as it stays true on paper and in a signed text: "30.11.2026 02:15 (…)"."""
    moment = stamp.ToDatetime(tzinfo=UTC)
    return f"{day(moment)} {moment.astimezone():%H:%M} ({utc(moment)})"


def stamp_date(stamp: Timestamp) -> str:
    """Return the day of a time of the protocol."""
    return short_date(stamp.ToDatetime(tzinfo=UTC).astimezone(), 0)


def number(value: Any) -> str:
    """Return a number as the language writes it."""
    return number_text(value)


def day(moment: datetime) -> str:
    """Return the date of a time here."""
    return date_text(moment.astimezone().date())


def code_pair(choice: Choice) -> tuple[str, str]:
    """Return an entry of a code list as (code, name)."""
    return choice.code, choice.name


FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType({
    "clock": clock,
    "utc": utc,
    "machine": machine,
    "long_date": long_date,
    "span": span,
    "until": until,
    "size": size,
    "officer": officer,
    "subject": subject,
    "title": title,
    "kind": kind,
    "kind_beside": kind_beside,
    "urgency": urgency,
    "urgency_text": urgency_text,
    "tlp_class": tlp_class,
    "level": level,
    "code": code,
    "breach": breach,
    "number": number,
    "day": day,
    "code_pair": code_pair,
    "role": wording.role,
    "reason": reason,
    "event": wording.event,
    "part": wording.part_name,
    "shared": shared,
    "cell": cell,
    "said": said,
    "stamp": stamp,
    "apply": apply,
    "stamp_when": stamp_when,
    "stamp_date": stamp_date,
})  # fmt: skip
