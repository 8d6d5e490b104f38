"""A form as it is shown: its description filled with values, faults and what was understood, as plain data.

Which groups and entries there are follows from the values: a group stands in the form as soon as its name, or that of
one of its fields, is among them (`add`, `remove`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from paiza_domain import codes
from paiza_domain.codes import lookup
from paiza_domain.drafts.templates import Known
from paiza_domain.formatting import amount_text, millionths_text
from paiza_domain.forms import values as form_values
from paiza_domain.forms.description import Description, Group, Input, InputType, Part, Section
from paiza_domain.forms.values import Values
from paiza_domain.schema import scalars
from paiza_domain.schema.quantity import format_amount

SHORT_LIST: Final = 20  # entries of a list that is shown whole; a longer one is searched
AT_ONCE: Final = 21
"""Fields of the content that a form shows at first; sections beyond them that are blank are unfolded one by one."""

Faults = Mapping[str, Sequence[str]]
"""What is wrong, as sentences by name of the field or group."""

Offset = Callable[[datetime], timedelta]
"""Returns how far ahead of UTC a local time (naive) is."""

_LOCAL: Final = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})|(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4}))"
    r"(?:T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d{2})",
    re.ASCII,
)  # a day, in the order of either language, with a time of day and no zone

_ZONED: Final = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2})(?::00)?(?P<zone>Z|[+-]\d{2}:\d{2})", re.ASCII
)
_UTC: Final = re.compile(r"\A(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(?::00)?Z\Z", re.ASCII)  # to the minute
_ISO_DAY: Final = re.compile(r"\A(\d{4})-(\d{2})-(\d{2})(?:\Z|[T ])", re.ASCII)
_LAST_ENTRY: Final = re.compile(r"\[(\d+)\]\.[a-z_]+\Z", re.ASCII)

Echo = Callable[[Input, str], str]
"""Returns what was understood of one value, in words; empty where that says nothing new."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a code list: its code, its name in the reader's language, and in the other one."""

    code: str
    name: str
    other: str


@dataclass(frozen=True, slots=True)
class Box:
    """One field of the form, with its values as they are typed.

    ``name`` is that of the value; ``faults`` and ``echoes`` are sentences. ``choices`` are those of a short list.
    """

    name: str
    input: Input
    values: tuple[str, ...]
    faults: tuple[str, ...]
    echoes: tuple[str, ...]
    choices: tuple[Choice, ...]
    reported: str

    @property
    def value(self) -> str:
        """Return the one value; all of a repeated field, one a line."""
        return "\n".join(self.values)


@dataclass(frozen=True, slots=True)
class Entry:
    """One group of the form. ``boxes`` are shown at once, ``more`` on demand; both hold groups as `Block`."""

    name: str
    title: str
    removable: bool
    faults: tuple[str, ...]
    boxes: tuple["Box | Block", ...]
    more: tuple["Box | Block", ...]


@dataclass(frozen=True, slots=True)
class Block:
    """All entries of a group, and whether there may be one more. ``faults`` are those of the group as a whole."""

    name: str
    group: Group
    entries: tuple[Entry, ...]
    can_add: bool
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One section: ``open`` if it has anything to show, ``folded`` if that is only its title at first."""

    section: Section
    block: Block | None
    boxes: tuple[Box | Block, ...]
    more: tuple[Box | Block, ...]
    open: bool
    fault_count: int
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole form; ``faults`` are (name of a field, its label, sentence) in the order of the form."""

    title: str
    pages: tuple[Page, ...]
    faults: tuple[tuple[str, str, str], ...] = field(default=())


def no_echo(_field: Input, _text: str) -> str:
    """Return nothing."""
    return ""


def lay_out(
    description: Description,
    values: Values,
    faults: Faults,
    lang: str,
    echo: Echo = no_echo,
    offset: Offset | None = None,
) -> Layout:
    """Return the form filled in; a time in the zone that ``offset`` returns for it is shown without a zone."""
    return _Filler(values, faults, lang, echo, offset).layout(description)


def initial(description: Description, given: Values, known: Known | None = None) -> dict[str, str]:
    """Return the values of an empty form: defaults, what is known, and one entry of each group that must be there.

    ``given`` are further values; they win.
    """
    found: dict[str, str] = {}
    for section in description.sections:
        if section.required:
            for part in section.parts:
                found |= _defaults(part, f"{section.root}.{part.key}", index=0)
                found |= _known(part, f"{section.root}.{part.key}", known or Known())
    return found | {name: text for name, text in given.items() if text}


def _known(part: Part, name: str, known: Known) -> dict[str, str]:
    """Return what may be filled in of a field of the content before anybody writes."""
    if isinstance(part, Group):
        return {f"{name}.{key}": text for key, text in known.place.items()} if part.field.known == "place" else {}
    text = {"agency": known.agency, "today": known.today}.get(part.field.known, "")
    return {name: text} if text else {}


def completed(description: Description, values: Values) -> dict[str, str]:
    """Return the values with an empty entry of each group that must be there and is not; no default is filled in."""
    found = dict(values)
    for section in description.sections:
        for part in section.parts if section.required else ():
            if isinstance(part, Group):
                _complete(part, f"{section.root}.{part.key}", found)
    return found


def _complete(group: Group, name: str, found: dict[str, str]) -> None:
    if not form_values.is_there(found, name):
        found[f"{name}[0]" if group.most else name] = ""
    heads = [f"{name}[{index}]" for index in form_values.indices(found, name)] if group.most else [name]
    for head in heads:
        for part in group.parts:
            if isinstance(part, Group) and part.required:
                _complete(part, f"{head}.{part.key}", found)


def add(description: Description, values: Values, name: str) -> dict[str, str]:
    """Return the values with one more entry of a group (or the group itself); unchanged if the name is of none."""
    group = find(description, name)
    if group is None or (group.most and len(form_values.indices(values, name)) >= group.most):
        return dict(values)
    index = max(form_values.indices(values, name), default=-1) + 1
    return {**values, **_defaults(group, name, index)}


def remove(values: Values, name: str) -> dict[str, str]:
    """Return the values without a group or one entry of it."""
    return {
        each: text for each, text in values.items() if each != name and not each.startswith((f"{name}.", f"{name}["))
    }


def settled(description: Description, values: Values) -> dict[str, str]:
    """Return the values without the entries that are blank, numbered as the draft numbers them.

    The first entry of a group that must be there stays, so that each field that is missing in it is named.
    """
    found = dict(values)
    for section in description.sections:
        for part in section.parts:
            if isinstance(part, Group):
                _settle(part, f"{section.root}.{part.key}", found)
    return found


def _settle(group: Group, name: str, found: dict[str, str]) -> None:
    if not group.most:
        _settle_below(group, name, found)
        return
    numbers = form_values.indices(found, name)
    kept = [each for each in numbers if not form_values.is_blank(found, f"{name}[{each}]")]
    if not kept and (group.required or group.short):
        kept = numbers[:1]
    moved: dict[str, str] = {}
    for place, index in enumerate(kept):
        old, new = f"{name}[{index}]", f"{name}[{place}]"
        below = {each: text for each, text in found.items() if each == old or each.startswith(f"{old}.")}
        moved |= {new + each[len(old) :]: text for each, text in below.items()}
    for each in [each for each in found if each.startswith(f"{name}[")]:
        del found[each]
    found |= moved
    for place in range(len(kept)):
        _settle_below(group, f"{name}[{place}]", found)


def _settle_below(group: Group, name: str, found: dict[str, str]) -> None:
    for part in group.parts:
        if isinstance(part, Group):
            _settle(part, f"{name}.{part.key}", found)


def find(description: Description, name: str) -> Group | None:
    """Return the group that a name names, of an entry or of the whole."""
    root, *steps = name.split(".")
    parts: Iterable[Part] = [part for section in description.sections if section.root == root for part in section.parts]
    found: Group | None = None
    for step in steps:
        key = step.partition("[")[0]
        part = next((each for each in parts if each.key == key), None)
        if part is None or not isinstance(part, Group):
            return None
        found, parts = part, part.parts
    return found


def _defaults(part: Part, name: str, index: int) -> dict[str, str]:
    if not isinstance(part, Group):
        # The entries of a list that begins with 1 are numbered.
        counted = index and part.default == "1"
        return {name: str(index + 1) if counted else part.default} if part.default else {}
    here = f"{name}[{index}]" if part.most else name
    found = {here: ""}
    for below in part.parts:
        if not isinstance(below, Group):
            found |= _defaults(below, f"{here}.{below.key}", index if part.most else 0)
        elif below.required:
            found |= _defaults(below, f"{here}.{below.key}", 0)
    return found


class _Filler:
    """The filling of one form."""

    def __init__(self, values: Values, faults: Faults, lang: str, echo: Echo, offset: Offset | None) -> None:
        self._values, self._faults, self._lang, self._echo, self._offset = values, faults, lang, echo, offset
        self._found: list[tuple[str, str, str]] = []
        self._told: set[str] = set()

    def layout(self, description: Description) -> Layout:
        pages = tuple(self._folded(self._page(each) for each in description.sections))
        others = [(name, "", text) for name, texts in self._faults.items() if name not in self._told for text in texts]
        return Layout(description.title, pages, (*others, *self._found))

    def _folded(self, pages: Iterable[Page]) -> Iterable[Page]:
        """Yield the sections, those folded that are blank and beyond what is shown at once.

        Neither the first nor one that somebody has added is folded.
        """
        shown = 0
        for page in pages:
            names = [f"{page.section.root}.{part.key}" for part in page.section.parts]
            blank = not page.fault_count and all(form_values.is_blank(self._values, name) for name in names)
            count = _count((page.block, *page.boxes)) if page.open else 0
            folded = page.section.required and blank and bool(shown) and shown + count > AT_ONCE
            shown += 0 if folded else count
            yield replace(page, folded=folded)

    def _page(self, section: Section) -> Page:
        before = len(self._found)
        prefix = section.root
        group = section.group
        block = self._block(group, f"{prefix}.{group.key}") if group is not None else None
        single = section.parts[1:] if group is not None else section.parts
        shown, more = self._parts(prefix, single, all_short=group is None and not section.required)
        filled = any(self._is_filled(f"{prefix}.{part.key}") for part in section.parts)
        count = len(self._found) - before
        return Page(section, block, shown, more, section.required or filled or count > 0, count)

    def _is_filled(self, name: str) -> bool:
        return form_values.is_there(self._values, name) and (
            not form_values.is_blank(self._values, name) or f"{name}" in self._values or f"{name}[0]" in self._values
        )

    def _take(self, name: str, label: str) -> tuple[str, ...]:
        """Return the faults of a name, and note them for the summary."""
        self._told.add(name)
        texts = tuple(self._faults.get(name, ()))
        self._found += [(name, label, text) for text in texts]
        return texts

    def _parts(
        self, prefix: str, parts: Iterable[Part], *, all_short: bool = False
    ) -> tuple[tuple[Box | Block, ...], tuple[Box | Block, ...]]:
        """Return what is shown at once, and the rest: optional fields that are blank and right."""
        shown: list[Box | Block] = []
        more: list[Box | Block] = []
        for part in parts:
            name = f"{prefix}.{part.key}"
            made = self._block(part, name) if isinstance(part, Group) else self._box(part, name)
            wanted = self._is_wanted(part, name, all_short=all_short) or made.faults
            (shown if wanted or self._has_fault(name) else more).append(made)
        return tuple(shown), tuple(more)

    def _is_wanted(self, part: Part, name: str, *, all_short: bool) -> bool:
        """Return whether a field is shown at once: not if it may be left as it is."""
        if isinstance(part, Input) and part.default and part.input_type is not InputType.FLAG:
            return self._values.get(name, "") not in {part.default, *_counted(part, name)}
        if (
            isinstance(part, Input)
            and part.input_type is InputType.DIGEST
            and not form_values.is_blank(self._values, name)
        ):
            return False  # filled in by the program; nobody reads it
        return part.short or all_short or not form_values.is_blank(self._values, name)

    def _has_fault(self, name: str) -> bool:
        return any(each == name or each.startswith((f"{name}.", f"{name}[")) for each in self._faults)

    def _block(self, group: Group, name: str) -> Block:
        faults = self._take(name, group.label)
        if group.most:
            numbers = form_values.indices(self._values, name)
            entries = tuple(
                self._entry(group, f"{name}[{index}]", f"{group.label} {place}", removable=True)
                for place, index in enumerate(numbers, 1)
            )
            return Block(name, group, entries, len(numbers) < group.most, faults)
        there = form_values.is_there(self._values, name)
        entry = (self._entry(group, name, group.label, removable=not group.required),) if there else ()
        return Block(name, group, entry, not there, faults)

    def _entry(self, group: Group, name: str, title: str, *, removable: bool) -> Entry:
        # A group of one is its own entry: its faults stand on the block.
        faults = self._take(name, title) if group.most else ()
        shown, more = self._parts(name, group.parts, all_short=not any(each.short for each in group.parts))
        return Entry(name, title, removable, faults, shown, more)

    def _box(self, field: Input, name: str) -> Box:
        text = self._values.get(name, "")
        typed = tuple(each for each in text.split("\n") if each) if field.most else ((text,) if text else ())
        reported = self._values.get(name + form_values.REPORTED, "")
        shown = typed if reported else tuple(_shown(field, each, self._lang, self._offset) for each in typed)
        chosen = is_short_list(field)
        said = () if chosen else tuple(self._echo(field, each) for each in typed)
        return Box(
            name=name,
            input=field,
            values=shown,
            faults=self._take(name, field.label),
            echoes=tuple(each for each in said if each and each not in shown),
            choices=choices(field.codes, self._lang) if chosen else (),
            reported=reported,
        )


def _count(parts: Iterable[Box | Block | None]) -> int:
    """Return the number of fields that are shown at once."""
    return sum(
        1 if isinstance(each, Box) else sum(_count(entry.boxes) for entry in each.entries) for each in parts if each
    )


def is_short_list(field: Input) -> bool:
    """Return whether all entries of the field's code list are shown at once."""
    return field.input_type is InputType.CODE and len(codes.load(field.codes)) <= SHORT_LIST


def choices(list_name: str, lang: str) -> tuple[Choice, ...]:
    """Return the entries of a code list in its order, those of a long list in the order of the language."""
    entries = codes.load(list_name)
    other = "en" if lang == "ru" else "ru"
    found = [Choice(each.code, each.names[lang], each.names[other]) for each in entries.values()]
    return tuple(sorted(found, key=lambda each: each.name.casefold()) if len(found) > SHORT_LIST else found)


def understood(description: Description, values: Values, offset: Offset | None = None) -> dict[str, str]:
    """Return the values as the draft keeps them; what is not understood stays as it was typed.

    The name of an entry of a code list becomes its code. A time of day without a zone gets the one that ``offset``
    returns for that time.
    """
    found = dict(values)
    for name, text in values.items():
        field = find_input(description, name) if text else None
        if field is None:
            continue
        if field.input_type is InputType.CODE:
            found[name] = "\n".join(lookup.find(field.codes, each) or each for each in text.split("\n"))
        elif field.input_type in {InputType.TIME, InputType.PARTIAL_TIME} and offset is not None:
            found[name] = "\n".join(_with_zone(each, offset) for each in text.split("\n"))
    return found


def in_zone(description: Description, values: Values, offset: Offset) -> dict[str, str]:
    """Return the values with times of UTC as this place writes them; ``offset`` is asked for the time of UTC."""
    found = dict(values)
    for name, text in values.items():
        field = find_input(description, name) if "Z" in text else None
        if field is not None and field.input_type in {InputType.TIME, InputType.PARTIAL_TIME}:
            found[name] = "\n".join(_UTC.sub(lambda time: _local(time, offset), each) for each in text.split("\n"))
    return found


def _local(time: re.Match[str], offset: Offset) -> str:
    there = datetime.fromisoformat(time[1])
    local = there + offset(there + offset(there))
    return _with_zone(f"{local:%Y-%m-%dT%H:%M}", offset)


def agreed(description: Description, values: Values) -> dict[str, str]:
    """Return the values without the fields that stand in the place of a group (``route_unknown``) that is given.

    Only those that an empty form sets: filling the group in says more than a box that nobody touched.
    """
    found = dict(values)
    for section in description.sections:
        group = section.group
        if group is None or form_values.is_blank(found, f"{section.root}.{group.key}"):
            continue
        for part in section.parts:
            if isinstance(part, Input) and part.key == group.field.instead and part.default:
                found.pop(f"{section.root}.{part.key}", None)
    return found


def _with_zone(text: str, offset: Offset) -> str:
    time = _LOCAL.fullmatch(text)
    if time is None:
        return text
    day = [int(time[iso] or time[other]) for iso, other in (("year", "y"), ("month", "m"), ("day", "d"))]
    try:
        local = datetime(day[0], day[1], day[2], int(time["hour"]), int(time["minute"]))  # noqa: DTZ001 - no zone yet
        ahead = offset(local)
    except (ValueError, OverflowError):
        return text
    minutes = int(ahead.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{local:%Y-%m-%dT%H:%M}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def find_input(description: Description, name: str) -> Input | None:
    """Return the field that a name names, None if none."""
    above, _dot, key = name.rpartition(".")
    group = find(description, above)
    parts: Iterable[Part] = group.parts if group is not None else ()
    if "." not in above:
        parts = [part for each in description.sections if each.root == above for part in each.parts]
    part = next((each for each in parts if each.key == key), None)
    return None if part is None or isinstance(part, Group) else part


def _counted(field: Input, name: str) -> tuple[str, ...]:
    """Return the number of the entry that a field is in, where its entries are numbered from 1."""
    entry = _LAST_ENTRY.search(name)
    return (str(int(entry[1]) + 1),) if field.default == "1" and entry is not None else ()


def _shown(field: Input, text: str, lang: str, offset: Offset | None) -> str:
    """Return a value as the page shows it: as a person of the language types it at this place.

    A code of a long list by its name, a day in the order of the language, a time of this place without its zone, an
    amount with its unit in words. `understood` reads it back as the same value.
    """
    match field.input_type:
        case InputType.TIME | InputType.PARTIAL_TIME | InputType.DATE:
            text = _without_zone(text, offset)
            return _ISO_DAY.sub(r"\3.\2.\1 ", text).rstrip() if lang == "ru" else text
        case InputType.QUANTITY | InputType.NUMBER if lang == "ru":
            return _number_shown(field, text)
        case InputType.CODE if not is_short_list(field):
            name = codes.load(field.codes).text(text, lang)
            return name if lookup.find(field.codes, name) == text else text
        case _:
            return text


def _without_zone(text: str, offset: Offset | None) -> str:
    time = _ZONED.fullmatch(text)
    if time is None or offset is None:
        return text
    zone = "+00:00" if time["zone"] == "Z" else time["zone"]
    here = _with_zone(f"{time['day']}T{time['time']}", offset)
    return f"{time['day']} {time['time']}" if here == f"{time['day']}T{time['time']}{zone}" else text


def _number_shown(field: Input, text: str) -> str:
    """Return a number or an amount that a program wrote ("12.5 kg") the Russian way; what a person wrote as it is."""
    value = _number(field, text)
    if value is None:
        return text
    amount = format_amount(value.millionths)
    if field.input_type is InputType.NUMBER:
        return millionths_text(value.millionths, "ru") if text == amount else text
    shown = amount_text(value.millionths, value.unit, "ru")
    return shown if text == f"{amount} {value.unit}" and _number(field, shown) == value else text


def _number(field: Input, text: str) -> Any:
    """Return the number or amount that a text is; None for what is none."""
    owner = field.owner()
    try:
        scalars.read(field.field, text, owner)
    except scalars.ScalarError:
        return None
    found = getattr(owner, field.field.name)
    return found[0] if field.most else found
