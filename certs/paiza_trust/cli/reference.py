"""The `reference` commands: check a folder of reference data, build what is published of it."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from paiza_domain import reference
from paiza_trust import reference_source
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.language import N_

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("reference")
def reference_group() -> None:
    """Check and build reference data: substances, national lists, border points, legal bases, profiles."""


@reference_group.command()
@click.argument("folder", type=click.Path(path_type=Path), default=reference_source.OURS)
@_JSON
def check(folder: Path, *, as_json: bool) -> None:
    """Read the reference data in FOLDER as every reader of the register will, and name what is wrong."""
    read = sound(reference_source.all_documents(folder), folder)
    counts = _counts(read)
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
        return
    for name, count in counts.items():
        click.echo(f"{name:<40} {count}")


@reference_group.command()
@click.argument("folder", type=click.Path(path_type=Path), default=reference_source.OURS)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
def build(folder: Path, output: Path) -> None:
    """Write the JSON files that the register publishes, without publishing them."""
    documents = reference_source.all_documents(folder)
    sound(documents, folder)
    for path, data in documents.items():
        write_private(output / path, data)
        click.echo(str(output / path))


def sound(documents: Mapping[str, bytes], folder: Path) -> reference.Reference:
    """Read documents; refuse them where anything in them would be left out by their readers."""
    found = reference.read(documents)
    if found.problems:
        shown = "\n".join(f"{each.path}: {each.message('en')}" for each in found.problems)
        what, remedy = N_("The reference data are invalid:\n{problems}"), N_("Correct them.")
        raise TrustError("invalid_content", what, str(folder), remedy, values={"problems": shown})
    return found


def _counts(found: reference.Reference) -> dict[str, int]:
    schedules = Counter(each.schedule for each in found.international if each.valid.is_open)
    standings = Counter((each.kind, each.evidence.standing) for each in reference.facts(found))
    kinds = dict.fromkeys(kind for kind, _ in standings)
    return {
        "substances": len(found.substances),
        "substances with a CAS number": sum(bool(each.cas) for each in found.substances.values()),
        "substances with a Russian name": sum("ru" in each.names for each in found.substances.values()),
        **{f"schedule {schedule} now": count for schedule, count in sorted(schedules.items())},
        **{
            f"facts, {kind}, {standing}": standings[kind, standing]
            for kind in kinds
            for standing in reference.Standing
            if standings[kind, standing]
        },
        **{
            f"facts {standing}": sum(count for (_, each), count in standings.items() if each is standing)
            for standing in reference.Standing
        },
    }
