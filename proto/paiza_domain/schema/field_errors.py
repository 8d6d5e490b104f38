"""Field errors: a path, a stable code, and a sentence in either language."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from paiza_domain import codes as code_lists
from paiza_domain.codes import lookup
from paiza_domain.i18n import N_, translate

# A problem without a path: its code and the values of its sentence.
Problem = tuple[str, Mapping[str, object]]

MESSAGES: Final[Mapping[str, str]] = MappingProxyType({
    "alert_part_missing": N_("An alert of this type needs this part."),
    "amount_malformed": N_("Not a number such as 12.5: digits, with at most one decimal point or comma."),
    "amount_above_ceiling": N_(
        "{value} is more than the largest such seizure in the data compared ({most}). It may be right, since these "
        "data are old and incomplete: check the amount and its unit. {source}"
    ),
    "analysis_presumptive": N_("A presumptive test identifies no substance: add an analysis that confirms it."),
    "annex_empty": N_("The annex holds nothing; leave it out."),
    "annex_not_allowed": N_("This kind of message has no nominal annex."),
    "answer_text_missing": N_("A full or partial answer needs its text."),
    "authority_missing": N_("Say to which authority it was passed."),
    "backtracking_source": N_(
        "Tracing back needs something to begin with: a company, a document, a batch number or a label."
    ),
    "before_previous_leg": N_("This leg begins before the one before it ends."),
    "check_digit": N_("The check digit is wrong; compare the number with the document."),
    "clock_malformed": N_("Not a time of day such as 08:30, from 00:00 to 24:00."),
    "classification_unknown": N_("“{value}” is neither a level from 0 to 4 nor a name of one.{suggestion}"),
    "code_malformed": N_("Not in the form expected, such as: {expected}."),
    "code_unknown": N_("“{value}” is not in the code list “{codes}”.{suggestion}"),
    "correction_unexplained": N_("The result stands otherwise than computed: say why."),
    "above_ceiling": N_("{value} takes nothing above level {most}; the message has level {level}."),
    "commented_out": N_("This must be filled in, and it is commented out here: remove the # before “{value}”."),
    "comma_is_decimal": N_("“{value}” is read as {expected}: a comma is the decimal mark."),
    "condition_order": N_("Conditions are numbered 1, 2, 3 … in order."),
    "date_impossible": N_("There is no such date: {value}."),
    "date_malformed": N_("Not a date such as 2026-11-23 or 23.11.2026 (2026-11 or 2026 where the day is not known)."),
    "day_malformed": N_("Not a day such as 2026-11-23."),
    "difference_missing": N_("Say what differs from the notification."),
    "digest_malformed": N_("Not a message digest: 64 hexadecimal digits are expected."),
    "draft_empty": N_("The draft is empty. paiza send KIND --template prints one to be filled in."),
    "draft_too_large": N_("The draft is larger than {most} bytes."),
    "evaluation_without_scheme": N_("Evaluation and its scheme are given together or not at all."),
    "expected_group": N_("Named fields are expected here, one a line."),
    "expected_list": N_("A list is expected here: one entry a line, each beginning with “- ”."),
    "expected_value": N_("One value is expected here."),
    "factor_malformed": N_("Not a conversion factor such as 1/1000."),
    "file_missing": N_("There is no file “{value}” beside the draft."),
    "file_unusable": N_("Not a reference file of format {value}, or too large."),
    "flag_malformed": N_("Write yes or no."),
    "forwarded_to_missing": N_("A forwarded question needs the authority it was passed to."),
    "grounds_missing": N_("An objection needs its ground."),
    "group_contradicts": N_("{value} belongs to the group “{expected}”, not “{stated}”."),
    "handling_code_required": N_("A message of this kind carries the handling code {expected}."),
    "handling_text": N_("The text of the limit is given with H3, and only with H3."),
    "in_future": N_("This time is still to come."),
    "in_past": N_("This time has passed already."),
    "key_inside": N_("“{value}” belongs inside “content”: indent it as the fields there."),
    "key_outside": N_("“{value}” belongs outside “content”: begin it at the left margin."),
    "key_repeated": N_("This field is given twice."),
    "key_unknown": N_("There is no field “{value}” here.{suggestion}"),
    "kg_equivalent_mismatch": N_("The kilogram equivalent is not the quantity times its factor."),
    "kind_unknown": N_("There is no kind of message “{value}”.{suggestion}"),
    "local_time_malformed": N_("Not a time such as 2026-11-23 14:30."),
    "member_malformed": N_("Not a member id such as kaz: 2 to 16 small letters, digits or hyphens."),
    "member_unknown": N_("“{value}” is not a member of the federation.{suggestion}"),
    "missing": N_("This field must be filled in."),
    "moment_coarse": N_("Give the day: a month or a year is enough only in a record taken over from a named source."),
    "moment_malformed": N_(
        "Not a time such as 2026-11-23 14:30+05:00 or 23.11.2026 14:30+05:00 (the day alone where less is known)."
    ),
    "no_precursor": N_(
        "“{value}” is under no regime for precursors. Trade in drugs goes by import and export authorisations; this "
        "notification is for precursors."
    ),
    "not_allowed_here": N_("This field does not go with the other values."),
    "not_filled_in": N_(
        "{value} stands in the reference data and is not verified, so it is not filled in: write it here if it is "
        "right."
    ),
    "not_integer": N_("A whole number in digits is expected, such as 2."),
    "not_one_of": N_("One of these is expected: {expected}."),
    "not_positive": N_("Must be more than zero."),
    "nothing_asked": N_("None of the messages that this follows from asks for such an answer."),
    "number_order": N_("Questions are numbered 1, 2, 3 … in order."),
    "number_repeated": N_("The number {value} is used twice."),
    "officer_unknown": N_("No officer in the list has the id “{value}”.{suggestion}"),
    "offset_missing": N_("The time needs its time zone, such as: {expected}."),
    "out_of_range": N_("Must be between {least} and {most}."),
    "own_request": N_("This is a request of your own member: those whom it asked answer it."),
    "period_order": N_("The period ends before it begins."),
    "period_reversed": N_("The period ends before it begins."),
    "precursor_unknown": N_(
        "“{value}” is not in the reference data: fill in its international control (control), or name it by its "
        "reference id.{suggestion}"
    ),
    "question_unknown": N_("There is no question {value} in the request."),
    "quantity_malformed": N_("Not a quantity such as 12.5 kg: a number and its unit."),
    "recipient_own": N_("{value} is your own member: it has every message that it sends, so leave it out."),
    "recipient_suspended": N_("{value} is suspended: nothing can be sent to it."),
    "recipients_missing": N_("At least one recipient must be named."),
    "reference_malformed": N_("Not a message id, its beginning, or a message digest."),
    "legal_basis_unknown": N_("“{value}” is not among the legal bases that the federation lists.{suggestion}"),
    "reference_unknown": N_("“{value}” is not in the reference data.{suggestion}"),
    "refusal_ground_missing": N_("A refusal needs the code of its ground."),
    "refusal_missing": N_("A refused question needs the code of its reason."),
    "review_malformed": N_("Not a review date such as 23.11.2029, 2029-11-23 or 3 years."),
    "review_before_author": N_("The review date must be later than the message itself."),
    "return_contradiction": N_(
        "It is marked that there is nothing to return, but items are given: leave one of the two out."
    ),
    "return_missing": N_("List what is returned, or mark that there is nothing to return."),
    "route_contradiction": N_("The route is marked unknown, but legs are given: leave one of the two out."),
    "route_missing": N_("Give at least one leg of the route, or mark the route unknown."),
    "sample_repeated": N_("The sample {value} is named twice."),
    "seal_note_missing": N_("Say what was found: the seal is not intact."),
    "second_officer_missing": N_(
        "Two officers must sign: name the second with --second; paiza approve --officers lists them."
    ),
    "shift_overlaps": N_("The same person is on duty at this time already."),
    "shift_too_long": N_("A shift is not longer than {most} days."),
    "section_in_braces": N_("This is written in braces or on one line: write its fields below each other first."),
    "section_present": N_("This is in the draft already."),
    "silence_not_sent": N_(
        "Silence is shown by itself and is never consent: a reply says no objection, objection or more time."
    ),
    "status_text_missing": N_("This status needs a sentence: what is lacking, what was done, or why."),
    "state_not_asked": N_("The route touches {value}, which is not among the states asked."),
    "state_not_told": N_("{value} is named here and is a member: add it to the recipients."),
    "state_without_leg": N_("{value} is asked, but the route has no leg there."),
    "sum_without_source": N_("Only a record taken over from a named source may sum several seizures up."),
    "substance_unnamed": N_("Name the substance, or give its reference id."),
    "text_character": N_("The character {character} is not allowed here."),
    "text_edges": N_("The text begins or ends with a space or an empty line."),
    "text_too_long": N_("Longer than {most} characters."),
    "time_malformed": N_("Not a time such as 2026-11-23 14:30+05:00 or 23.11.2026 14:30+05:00."),
    "time_skipped": N_("The clocks are put forward at this time: the local time does not exist."),
    "time_twice": N_("The clocks are put back at this time: it comes twice. Write it with its offset: {expected}."),
    "time_zone_unknown": N_("“{value}” is not a known time zone such as Asia/Almaty."),
    "too_many": N_("More than {most} entries."),
    "type_contradicts": N_("{value} is of the type “{expected}”, not “{stated}”."),
    "type_not_in_group": N_("“{value}” belongs to the drug group “{expected}”, not “{group}”."),
    "until_missing": N_("Say until when the time is needed."),
    "urgency_reason_missing": N_("URGENT and FLASH need a reason.{suggestion}"),
    "urgency_reason_unneeded": N_("A reason code is given only with URGENT and FLASH."),
    "value_repeated": N_("“{value}” is given twice."),
    "version_unsupported": N_("Version {value} of this kind is not supported."),
    "yaml": N_("The draft cannot be read here; check indentation, dashes, colons and quotes. ({problem})"),
    "yaml_colon": N_("Put this text in quotation marks: a colon with a space after it begins a new field."),
    "yaml_bracket": N_("A bracket is opened here and never closed."),
    "yaml_indent": N_("The indentation is wrong here: fields of one group begin below each other, in one column."),
    "yaml_key": N_("Here a colon and a space are missing after the name of a field; a text that goes on is indented."),
    "yaml_quoted": N_("Text follows a closing quotation mark here: put the whole text into marks of the other kind."),
    "yaml_sign": N_("Put this text in quotation marks: its first sign has a meaning of its own in a draft."),
    "yaml_quote": N_("A quotation mark is opened here and never closed."),
    "yaml_tab": N_("Indent with spaces: there is a tab here."),
    "yaml_alias": N_("Anchors and aliases (& and *) are not allowed in a draft."),
    "yaml_depth": N_("Nested more than {most} levels deep."),
    "yaml_tag": N_("Tags (!) are not allowed in a draft."),
})  # fmt: skip

_SUGGESTION: Final = N_("Did you mean “{value}”?")
_NEAREST: Final = N_("Nearest entries: {entries}.")
_ENTRIES: Final = N_("Its entries: {entries}.")
_KNOWN: Final = N_("Known here: {entries}.")
_NAMED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({
    "type_not_in_group": {"value": "drug_type", "group": "drug_group", "expected": "drug_group"},
})  # fmt: skip
"""Values of an error that are codes, by the list that names them."""
_MAX_ENTRIES: Final = 30  # the entries of a longer list are not named
_LEAST_ALIKE: Final[Mapping[str, float]] = MappingProxyType({"unit": 0.75})
"""How alike an entry must be to be suggested, where the words of a list are short: «фунтов» is not «кустов»."""


def _nearest_entries(value: str, list_name: str, lang: str) -> str:
    """Return the entries of a list that are nearest to a text, else all if the list is short, each with its name."""
    entries = code_lists.load(list_name)
    near = lookup.nearest(list_name, value, _LEAST_ALIKE.get(list_name, lookup.MIN_SIMILARITY)) if value else ()
    if not near and len(entries) > _MAX_ENTRIES:
        return ""
    named = ", ".join(entry_text(code, entries.text(code, lang)) for code in near or entries)
    return " " + translate(_NEAREST if near else _ENTRIES, lang).format(entries=named)


def entry_text(code: str, name: str) -> str:
    """Return an entry as it is suggested: its code and its name."""
    return f"{code} ({name})"


@dataclass(frozen=True)
class FieldError:
    """One error at `path`, such as `substances[0].quantity`; line and column count from 1, 0 if unknown."""

    path: str
    code: str
    values: Mapping[str, object] = field(default_factory=dict)
    line: int = 0
    column: int = 0

    def message(self, lang: str) -> str:
        """Return the error and the expected value as a sentence in `lang`, without the position."""
        values = dict(self.values)
        if "codes" in values:
            list_name = str(values["codes"])
            titles = code_lists.load(list_name).titles
            values["codes"] = titles.get(lang, titles["en"])
            values["suggestion"] = _nearest_entries(str(values["value"]), list_name, lang)
        elif suggestion := values.get("suggestion"):
            values["suggestion"] = " " + translate(_SUGGESTION, lang).format(value=suggestion)
        elif known := values.get("known"):
            values["suggestion"] = " " + translate(_KNOWN, lang).format(entries=known)
        else:
            values["suggestion"] = ""
        for key, list_name in _NAMED.get(self.code, {}).items():
            values[key] = code_lists.load(list_name).text(str(values[key]), lang)
        return translate(MESSAGES[self.code], lang).format(**values)

    def at(self, line: int, column: int) -> "FieldError":
        """Return the same error with its position in a draft."""
        return replace(self, line=line, column=column)
