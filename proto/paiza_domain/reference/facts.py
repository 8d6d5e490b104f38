"""The facts of the reference data, each with its evidence, to be counted and compared with their sources."""

from collections.abc import Iterator
from dataclasses import dataclass

from paiza_domain.reference.model import Evidence, Reference
from paiza_domain.schema.quantity import format_amount


@dataclass(frozen=True, slots=True)
class Fact:
    """One record that can be right or wrong: its kind, its id, and what it says, in English."""

    kind: str
    id: str
    text: str
    evidence: Evidence


def facts(reference: Reference) -> Iterator[Fact]:
    """Yield every fact of the reference data, in the order of the files."""
    for substance in reference.substances.values():
        text = f"{substance.name('en')}: CAS {', '.join(substance.cas) or 'none'}"
        yield Fact("substance", substance.id, text, substance.evidence)
        if substance.hs:
            yield Fact(
                "HS code", substance.id, f"{substance.name('en')}: {', '.join(substance.hs)}", substance.hs_evidence
            )
    for entry in reference.international:
        days = f"decided {entry.decided or '?'}, in effect {entry.valid.begin or '?'} – {entry.valid.end}".strip(" –")
        yield Fact("schedule", entry.substance, f"{entry.schedule}, {days}", entry.evidence)
    for ceiling in reference.ceilings:
        of = " ".join(filter(None, (ceiling.drug_type, ceiling.form))) or "any"
        amount = f"{format_amount(ceiling.millionths)} {ceiling.unit}"
        yield Fact("ceiling", f"{of} {ceiling.unit}", amount, ceiling.evidence)
    for act in reference.acts.values():
        yield Fact("act", act.id, f"{act.titles['en']}, from {act.valid.begin or '?'}", act.evidence)
    for control in reference.national:
        yield Fact("national list", f"{control.state} {control.substance}", control.list, control.evidence)
    for point in reference.border_points:
        yield Fact("border point", point.id, f"{point.name('en')}, {' '.join(point.locodes).strip()}", point.evidence)
    for basis in reference.legal_bases:
        yield Fact("treaty", basis.id, f"{basis.titles['en']}, from {basis.valid.begin or '?'}", basis.evidence)
        for party in basis.parties.values():
            said = (
                f"signed {party.signed or '–'}, {party.act or 'not bound'} {party.deposited}, from {party.valid.begin}"
            )
            yield Fact("participation", f"{basis.id} {party.state}", said, party.evidence)
    for profile in reference.profiles.values():
        yield Fact("profile", profile.member, profile.authority["en"], profile.evidence)
