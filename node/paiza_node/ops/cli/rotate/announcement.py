"""Announcements: what the member says of its own keys, in a file that its trust officer signs with the member's key.

Each is the next version of the member's role, and no two are of one version: a trust officer signs one content of a
version. So the node's data folder remembers the last version that was written; a lost announcement is written anew.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.language import _
from paiza_register.archive import write_durably
from paiza_register.ceremony import Base, Proposal
from paiza_register.ceremony.proposal import MAX_BYTES
from paiza_register.ceremony.publication import Publication, publication
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import Rejected, Unavailable

REMEMBERED: Final = "announced.json"
"""File of the data folder: the last version of the member's role that an announcement was written for."""

OUTPUT: Final = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=N_("File for the announcement, which the trust officer signs."),
)
TIME_FORMATS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")
FROM: Final = click.option(
    "--from",
    "begins",
    type=click.DateTime(TIME_FORMATS),
    metavar="TIME",
    help=N_("From when on the new key counts, in UTC; default: now."),
)
UNTIL: Final = click.option(
    "--until",
    type=click.DateTime(TIME_FORMATS),
    metavar="TIME",
    help=N_("Until when the present key counts, in UTC."),
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A written announcement: its file, and the fingerprint of what the trust officer signs."""

    file: Path
    fingerprint: bytes


def in_utc(time: datetime | None) -> datetime | None:
    """Return a time of the command line, which is in UTC."""
    return None if time is None else time.replace(tzinfo=UTC)


def base_of(config: Config) -> Base:
    """Return the register that was verified last, to build on."""
    reader = open_reader(config)
    last = reader.last
    if last is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    return Base.verify(RegisterFile(reader.archived_files(last.version)), None)


def check_output(config: Config, output: Path | None) -> Path:
    """Return the file for an announcement; refuse one that exists, before a key is made.

    An announcement of this member that was published, or overtaken by a later one, is of no more use: it is replaced.
    """
    if output is None:
        raise click.UsageError(_("Name a file for the announcement with -o."))
    if output.exists() and not _is_used(config, output):
        raise NodeStopped(
            "file_unwritable",
            what=N_("The file exists already; nothing is overwritten."),
            where="{path}",
            remedy=N_("Name another one with -o, or publish this one first: paiza-node rotate announce."),
            path=output,
        )
    return output


def _is_used(config: Config, output: Path) -> bool:
    """Return whether a file holds an announcement of this member that can be published no more."""
    try:
        with output.open("rb") as lines:
            act = Proposal.read(lines.read(MAX_BYTES + 1)).act
    except (OSError, Rejected):
        return False
    if not isinstance(act, Publication) or act.role != config.member:
        return False
    return act.version <= base_of(config).version_of(config.member)


def write_announcement(
    config: Config, files: Callable[[Base, datetime], Mapping[str, bytes]], output: Path
) -> Announcement:
    """Write an announcement of these files of the member, by target path, as a proposal without signatures."""
    base, now = base_of(config), datetime.now(UTC)
    known = _remembered(config)
    version = max(base.version_of(config.member), known) + 1
    try:
        act = publication(config.member, files(base, now), base, now, version=version)
    except Rejected as error:
        raise NodeStopped(
            error.reason,
            what=N_("Other members would refuse the announcement: {error}."),
            where="{path}",
            remedy=N_("Correct the dates, or look at `paiza-node register show`."),
            path=config.path,
            error=error.detail,
        ) from error
    # A crash after this skips a version, which is allowed; the reverse order could write two contents of one.
    write_durably(config.data / REMEMBERED, json.dumps({"version": version}).encode())
    proposal = Proposal(act)
    write_durably(output.absolute(), proposal.to_bytes())
    return Announcement(output, proposal.fingerprint)


def print_next(made: Announcement) -> None:
    """Print how an announcement is signed and published."""
    click.echo(_("{file}: the announcement, to be signed.").format(file=made.file))
    click.echo(_("Next:"))
    click.echo(_("1. The trust officer, with the member's key: paiza-trust sign {file}").format(file=made.file.name))
    click.echo(_("2. Here: paiza-node rotate announce {file}").format(file=made.file.name))


def as_object(made: Announcement) -> dict[str, Any]:
    """Return an announcement for `--json`."""
    return {"announcement": str(made.file), "fingerprint": made.fingerprint.hex()}


def _remembered(config: Config) -> int:
    try:
        return int(json.loads((config.data / REMEMBERED).read_bytes())["version"])
    except (OSError, ValueError, KeyError):
        return 0
