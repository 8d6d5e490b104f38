"""Reads a folder of reference data as people edit it (CSV, TOML) and writes it as the register publishes it (JSON).

Nothing is judged here: what is wrong with the data, `paiza_domain.reference.read` says of the result, so that who
publishes and who reads apply one rule.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from paiza_cli.exit_codes import ExitCode
from paiza_cli.toml_text import parse_toml
from paiza_domain.reference.documents import BORDER_POINTS, CONTROLS, LEGAL_BASES, SUBSTANCES
from paiza_domain.reference.records import FORMAT
from paiza_register.ceremony.federation_file import to_json
from paiza_trust.errors import TrustError
from paiza_trust.language import N_

OURS: Final = Path(__file__).parent / "reference"
"""The reference data that come with the program: what a federation starts from."""

MAX_SOURCE_BYTES: Final = 4 << 20
"""Bytes of one file of a folder."""

_MEMBER: Final = re.compile(r"[a-z][a-z0-9-]{1,15}")

Row = Mapping[str, str]


def shared_documents(folder: Path) -> dict[str, bytes]:
    """Return what the federation publishes together, by target path."""
    acts = _toml(folder / "acts.toml")
    parties = list(_rows(folder / "participation.csv", _participation))
    return {
        SUBSTANCES: _document(
            substances=list(_rows(folder / "substances.csv", _substance)),
            international=list(_rows(folder / "international.csv", _international)),
            ceilings=list(_rows(folder / "ceilings.csv", _ceiling)),
        ),
        CONTROLS: _document(
            acts=[{**_titled(each), **_kept(each, "id", "state", "from", "to"), **_stated(each)}
                  for each in _tables(folder / "acts.toml", acts, "act")],
            lists=[{**_titled(each), **_kept(each, "id", "state", "act", "regime", "complete", "from", "to")}
                   for each in _tables(folder / "acts.toml", acts, "list")],
            controls=list(_rows(folder / "national.csv", _control)),
        ),
        BORDER_POINTS: _document(points=list(_rows(folder / "border-points.csv", _border_point))),
        LEGAL_BASES: _document(
            bases=[_basis(each, parties) for each in _tables(
                folder / "legal-bases.toml", _toml(folder / "legal-bases.toml"), "basis")]
        ),
    }  # fmt: skip


def member_documents(folder: Path, member: str) -> dict[str, bytes]:
    """Return what one member publishes about its practice; nothing where it says nothing."""
    source = folder / "members" / f"{member}.toml"
    if not _MEMBER.fullmatch(member) or not source.is_file():
        return {}
    return member_profile(source, member)


def member_profile(source: Path, member: str) -> dict[str, bytes]:
    """Return the same of one file, wherever it is."""
    return {f"members/{member}/profile.json": _document(**_toml(source))}


def all_documents(folder: Path) -> dict[str, bytes]:
    """Return everything in the folder, every member's file included."""
    documents = shared_documents(folder)
    for source in sorted((folder / "members").glob("*.toml")):
        documents |= member_documents(folder, source.stem)
    return documents


def legal_base_titles(folder: Path) -> dict[str, dict[str, str]]:
    """Return the legal bases as federation.json names them: what an officer may state in a header."""
    path = folder / "legal-bases.toml"
    return {each["id"]: _kept(each, "ru", "en") for each in _tables(path, _toml(path), "basis")}


def _document(**values: Any) -> bytes:
    return to_json({"format": FORMAT, **values})


def _rows(path: Path, parse: Callable[[Row], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(_read(path).decode("utf-8-sig").splitlines(), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise _broken(path, f"line {reader.line_num} has too many or too few columns")
            try:
                yield parse(row)
            except KeyError as error:
                raise _broken(path, f"there is no column {error}") from error
            except ValueError as error:
                raise _broken(path, f"line {reader.line_num}: {error}") from error
    except csv.Error as error:
        raise _broken(path, str(error)) from error


def _substance(row: Row) -> dict[str, Any]:
    return {
        **_kept(row, "id", "inn", "group", "type", "hs_source", "hs_compared"),
        "names": _kept(row, "en", "ru"),
        "note": {lang: row[f"note_{lang}"] for lang in ("en", "ru") if row[f"note_{lang}"]},
        **{name: _words(row[name]) for name in ("synonyms", "street", "cas", "hs")},
        **_evidence(row),
    }


def _international(row: Row) -> dict[str, Any]:
    days = _kept(row, "decided", "communicated", "attested", "from", "to", "recorded_from", "recorded_to")
    return {**_kept(row, "substance", "schedule"), **days, **_evidence(row)}


def _ceiling(row: Row) -> dict[str, Any]:
    note = {lang: row[f"note_{lang}"] for lang in ("en", "ru") if row[f"note_{lang}"]}
    return {**_kept(row, "type", "form", "unit", "amount"), "note": note, **_evidence(row)}


def _control(row: Row) -> dict[str, Any]:
    thresholds = [each.partition("=") for each in _words(row["thresholds_mg"])]
    return {
        **_kept(row, "substance", "state", "list", "thresholds_act"),
        **_kept(row, "attested", "from", "to", "recorded_from", "recorded_to"),
        **({"concentration_percent": int(row["concentration_percent"])} if row["concentration_percent"] else {}),
        "thresholds": [{"code": code, "milligrams": int(amount)} for code, _, amount in thresholds],
        **_evidence(row),
    }


def _border_point(row: Row) -> dict[str, Any]:
    sides = {
        side: {
            "country": row[side],
            "names": {lang: row[f"{side}_{lang}"] for lang in ("en", "ru")},
            **({"locode": row[f"{side}_locode"]} if row[f"{side}_locode"] else {}),
        }
        for side in ("first", "second")
    }
    return {**_kept(row, "id", "kind", "note"), **sides, **_evidence(row)}


def _participation(row: Row) -> dict[str, Any]:
    reservations = {lang: row[f"reservations_{lang}"] for lang in ("en", "ru") if row[f"reservations_{lang}"]}
    return {
        **_kept(row, "basis", "state", "signed", "act", "deposited", "from", "to"),
        **({"reservations": reservations} if reservations else {}),
        **_evidence(row),
    }


def _basis(values: Mapping[str, Any], parties: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        **_titled(values),
        **_kept(values, "id", "from", "to", "recorded_from", "recorded_to"),
        **_stated(values),
        "parties": [
            {name: value for name, value in each.items() if name != "basis"}
            for each in parties
            if each["basis"] == values.get("id")
        ],
        "provisions": [
            {**_kept(each, "subject", "article"), "requires": _kept(each, "ru", "en")}
            for each in values.get("provision", [])
        ],
    }


def _titled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"titles": _kept(values, "ru", "en")}


def _kept(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) not in {None, ""}}


def _evidence(row: Row) -> dict[str, Any]:
    doubt = {lang: row[f"doubt_{lang}"] for lang in ("en", "ru") if row[f"doubt_{lang}"]}
    return {**_kept(row, "source", "compared"), **({"doubt": doubt} if doubt else {})}


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evidence of a table of a TOML file."""
    return {name: values[name] for name in ("source", "compared", "doubt") if name in values}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(";") if word.strip()]


def _tables(path: Path, values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = values.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _broken(path, f"[[{name}]] is not a list of tables")
    return found


def _toml(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(_read(path))
    except ValueError as error:
        raise _broken(path, str(error)) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        remedy = N_("Name a folder of reference data; the files it needs are listed in certs/README.md.")
        what, values = N_("The file cannot be read: {error}"), {"error": error.strerror or ""}
        raise TrustError("file_unreadable", what, str(path), remedy, ExitCode.UNAVAILABLE, values) from error
    if len(data) > MAX_SOURCE_BYTES:
        raise _broken(path, f"it is larger than {MAX_SOURCE_BYTES} bytes")
    return data


def _broken(path: Path, why: str) -> TrustError:
    what, remedy = N_("The reference data cannot be read: {why}"), N_("Correct the file.")
    return TrustError("invalid_content", what, str(path), remedy, values={"why": why})
