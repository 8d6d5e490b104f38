"""Reads the files that a ceremony carries; every refusal names the file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from paiza_cli.exit_codes import ExitCode
from paiza_register import carried
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.proposal import MAX_BYTES, Proposal
from paiza_register.register_file import RegisterFile
from paiza_trust.errors import TrustError, from_wire
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError


def read(path: Path) -> Application | Proposal | RegisterFile:
    """Read and verify a carried file of any type."""
    data = read_bytes(path)
    readers: Mapping[str, Callable[[bytes], Application | Proposal | RegisterFile]] = {
        "application": Application.read,
        "proposal": Proposal.read,
        "register": RegisterFile.read,
    }
    reader = readers.get(carried.kind_of(data))
    if reader is None:
        what, remedy = N_("This is no file of a ceremony"), N_("Name an application, a proposal or a register.")
        raise TrustError("malformed", what, str(path), remedy)
    with located(path):
        return reader(data)


def application(path: Path) -> Application:
    """Read an application."""
    with located(path):
        return Application.read(read_bytes(path))


def proposal(path: Path) -> Proposal:
    """Read a proposal."""
    with located(path):
        return Proposal.read(read_bytes(path))


def register(path: Path) -> RegisterFile:
    """Read a register in one file."""
    with located(path):
        return RegisterFile.read(read_bytes(path))


@contextmanager
def located(place: Path | str) -> Iterator[None]:
    """Name a file, or what else is read, in every refusal of the layers below."""
    try:
        yield
    except PaizaError as error:
        raise from_wire(error, str(place)) from error


def text(path: Path) -> str:
    """Read a file of text."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        what, remedy = N_("The file is not text in UTF-8"), N_("Correct the file.")
        raise TrustError("malformed", what, str(path), remedy) from error


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, of one that is too large some more than are looked at."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        what, remedy = N_("The file cannot be read: {error}"), N_("Name a file that is there.")
        values = {"error": error.strerror or ""}
        raise TrustError("file_unreadable", what, str(path), remedy, ExitCode.UNAVAILABLE, values) from error
