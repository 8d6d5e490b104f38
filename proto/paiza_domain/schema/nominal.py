"""The shape of the nominal annex: persons, companies, telephones, accounts. Any kind may have it."""

from collections.abc import Iterator
from typing import Any, Final

from paiza.content.v1.nominal_annex_pb2 import Account, Company, NominalAnnex, Person, Telephone
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import imei_problem, telephone_problem
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_ENTRIES: Final = 200  # persons, companies, telephones or accounts; more belongs in an attachment
MAX_FEW: Final = 20  # names or citizenships of one person

_NOTE: Final = 2_000  # characters


def _one_name(person: Any) -> Iterator[tuple[str, Problem]]:
    if not (person.surname or person.given_names or person.aliases):
        yield "surname", ("missing", {})


def _names(person: Any) -> Iterator[tuple[str, str]]:
    """Yield the names of a person: surname with given names, or the one known name; and all their words."""
    for full in (" ".join(filter(None, (person.surname, person.given_names))), *person.aliases):
        yield "person", full
        yield "name", full
    yield "name", person.patronymic


def _company_name(company: Any) -> Iterator[tuple[str, str]]:
    yield "name", company.name


PERSON: Final = Shape(
    Person,
    (
        Field("surname", N_("Surname"), short=True),
        Field("given_names", N_("Given names"), short=True),
        Field("patronymic", N_("Patronymic")),
        Field("aliases", N_("Other names and spellings"), most=MAX_FEW),
        Field("role", N_("Role"), FieldType.CODE, required=True, codes="person_role"),
        Field("category", N_("Category"), FieldType.CODE, required=True, codes="person_category"),
        Field("birth_date", N_("Date of birth"), FieldType.DATE),
        Field("birth_place", N_("Place of birth")),
        Field("citizenships", N_("Citizenship"), FieldType.CODE, codes="country", most=MAX_FEW),
        Field("document", N_("Identity document"), term="document"),
        Field("personal_number", N_("Personal identification number"), term="personal-number"),
        Field("address", N_("Address")),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=_one_name,
    terms=_names,
)
COMPANY: Final = Shape(
    Company,
    (
        Field("name", N_("Name"), required=True, term="company"),
        Field("role", N_("Role"), FieldType.CODE, codes="person_role"),
        Field("registration_number", N_("Registration number"), term="registration"),
        Field("country", N_("Country"), FieldType.CODE, codes="country"),
        Field("address", N_("Address")),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    terms=_company_name,
)
TELEPHONE: Final = Shape(
    Telephone,
    (
        Field("number", N_("Number"), required=True, check=telephone_problem, term="phone"),
        Field("imei", N_("IMEI"), check=imei_problem, term="imei"),
        Field("holder", N_("Holder")),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
)
ACCOUNT: Final = Shape(
    Account,
    (
        Field("number", N_("Number"), required=True, term="account"),
        Field("institution", N_("Bank or platform")),
        Field("country", N_("Country"), FieldType.CODE, codes="country"),
        Field("holder", N_("Holder")),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
)
ANNEX: Final = Shape(
    NominalAnnex,
    (
        Field("persons", N_("Persons"), FieldType.GROUP, most=MAX_ENTRIES, shape=PERSON),
        Field("companies", N_("Companies"), FieldType.GROUP, most=MAX_ENTRIES, shape=COMPANY),
        Field("telephones", N_("Telephones"), FieldType.GROUP, most=MAX_ENTRIES, shape=TELEPHONE),
        Field("accounts", N_("Accounts and wallets"), FieldType.GROUP, most=MAX_ENTRIES, shape=ACCOUNT),
    ),
)
