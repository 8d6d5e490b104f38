"""`paiza-node doctor`: one line for each check, with cause and remedy; the exit code is that of the worst."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza.admin.v1 import admin_pb2
from paiza_cli.exit_codes import ExitCode
from paiza_cli.terminal import plain_line
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.frame import Ended, explained
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.status import log_size
from paiza_node.ops.config import Config
from paiza_node.ops.doctor import files, machine
from paiza_node.ops.doctor.machine import Check, Level, Look, fail, ok, warn
from paiza_node.ops.doctor.peers import check_blocks, check_misbehaviour, check_peers
from paiza_node.ops.doctor.register import (
    check_expiries,
    check_members,
    check_officers,
    check_proposals,
    check_publishers,
    check_register,
)
from paiza_node.ops.doctor.replication import check_replication
from paiza_node.ops.keys import load_keys, node_certificate_file
from paiza_node.ops.language import _, number_text, span_text
from paiza_node.ops.offline import last_register
from paiza_node.ops.terminal import print_json
from paiza_register import Register
from paiza_wire.errors import PaizaError

WORDS: Final = {Level.OK: N_("ok"), Level.WARN: N_("warn"), Level.FAIL: N_("fail")}
EXIT_CODES: Final = {Level.OK: ExitCode.OK, Level.WARN: ExitCode.WARNED, Level.FAIL: ExitCode.FAILED}

NEAR: Final = 0.8  # of what a caller may cause in a day


@click.command(
    "doctor",
    help=N_(
        "Check the node, whether it runs or not, and the connection to every other member. Exits "
        "with 0 if all is well, 10 after a warning, 11 after a failure."
    ),
)
@shared
@json_option
def command(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Examine."""
    worst = Level.OK
    told = []
    for check in examine(settings(config_path, log_level), datetime.now(UTC)):
        worst = max(worst, check.level)
        if as_json:
            told.append(_as_object(check))
        else:
            _print(check)
    if as_json:
        print_json({"worst": worst.name.lower(), "checks": told})
    raise Ended(EXIT_CODES[worst])


def examine(config: Config, now: datetime) -> Iterator[Check]:
    """Run every check; one that cannot be made is a failure, and the others are made nevertheless."""
    status = _status(config)
    yield from _guarded(N_("node"), lambda: _running(config, status))
    yield from _guarded(N_("limits"), lambda: _limits(status))
    yield from _guarded(N_("connections"), lambda: _connections(status))
    yield from _guarded(N_("issuer"), lambda: machine.check_issuer(config))
    yield from _guarded(N_("data folder"), lambda: files.check_data_folder(config))
    yield from _guarded(N_("files"), lambda: files.check_files(config))
    try:
        reader, register = last_register(config)
    except PaizaError as error:
        yield _failed(N_("register"), explained(error))
        return
    except NodeStopped as error:
        yield _failed(N_("register"), error)
        return
    yield from _guarded(N_("register"), lambda: check_register(register, now))
    yield from _guarded(N_("publishers"), lambda: check_publishers(config, reader, register))
    yield from _guarded(N_("members"), lambda: check_members(register, config.member))
    yield from _guarded(N_("expiries"), lambda: check_expiries(config, register, node_certificate_file(config), now))
    yield from _guarded(N_("keys"), lambda: files.check_keys(config, register, now))
    yield from _stored(config, register, now)
    yield from _guarded(N_("peers"), lambda: _peers(config, register))


def _stored(config: Config, register: Register, now: datetime) -> Iterator[Check]:
    """Run the checks of what the database holds, or one check alone if there is none yet."""
    try:
        lacking = machine.lacks_database(config)
    except PaizaError:
        lacking = False  # each check tells why the database cannot be read
    if lacking:
        yield from _guarded(N_("database"), lambda: machine.check_missing_database(config))
        return
    yield from _guarded(N_("officers"), lambda: check_officers(config, register, now))
    yield from _guarded(N_("proposals"), lambda: check_proposals(config, now))
    yield from _guarded(N_("database"), lambda: machine.check_database_settings(config))
    yield from _guarded(N_("replication"), lambda: check_replication(config))
    yield from _guarded(N_("disk"), lambda: machine.check_disk(config, now))
    yield from _guarded(N_("log"), lambda: machine.check_log(config, register))
    yield from _guarded(N_("witnesses"), lambda: machine.check_witnesses(config, register, now))
    yield from _guarded(N_("queue"), lambda: machine.check_queue(config, now))
    yield from _guarded(N_("misbehaviour"), lambda: check_misbehaviour(config))
    yield from _guarded(N_("blocks"), lambda: check_blocks(config))


def _status(config: Config) -> admin_pb2.GetStatusResponse | None:
    """Return the status of the running node; None if none runs."""
    try:
        with AdminClient(config.admin_socket) as client:
            return client.status()
    except PaizaError:
        return None


def _limits(status: admin_pb2.GetStatusResponse | None) -> Iterator[Check]:
    """Check that no caller is near what one may cause in a day."""
    of_a_day = [use for use in status.limits if use.name.endswith("_per_day")] if status else []
    near = [use for use in of_a_day if use.used >= NEAR * use.limit]
    for use in near:
        yield warn(
            N_("limits"),
            N_("{caller} has used {used} of {limit} today: {name}. What is not urgent then waits until midnight UTC."),
            N_(
                "Ask them what they send. For a large import raise {name} under [limits] in node.toml, "
                "and start the node again."
            ),
            caller=use.caller,
            used=number_text(use.used),
            limit=number_text(use.limit),
            name=use.name,
        )
    if of_a_day and not near:
        yield ok(N_("limits"), N_("No officer and no peer is near what one may cause in a day."))


def _connections(status: admin_pb2.GetStatusResponse | None) -> Iterator[Check]:
    """Check that the running node has places for more connections, and descriptors for itself."""
    name, uses = N_("connections"), {use.name: use for use in status.limits} if status else {}
    texts = {
        "connections": N_("Of {limit} places for connections {used} are taken."),
        "descriptors": N_("Of {limit} descriptors {used} are in use."),
    }
    for kind, text in texts.items():
        if (use := uses.get(kind)) is None:
            continue
        values = {"limit": number_text(use.limit), "used": number_text(use.used)}
        if use.used < NEAR * use.limit:
            yield ok(name, text, **values)
        else:
            remedy = N_("See connections_given_up in the node's log; then node/README.md, Connections.")
            yield warn(name, text, remedy, **values)


def _running(config: Config, status: admin_pb2.GetStatusResponse | None) -> Iterator[Check]:
    if status is None:
        yield warn(N_("node"), N_("It does not run."), N_("Start it: paiza-node run --config {path}"), path=config.path)
    elif status.standby:
        yield ok(N_("node"), N_("Version {version} waits as standby: another process serves."), version=status.version)
    elif status.HasField("commit_age"):
        yield fail(
            N_("node"),
            N_("The database has not answered to a commit for {age}; nothing is accepted."),
            N_("Look at the database's disk, and at its synchronous standby. The node continues by itself."),
            age=span_text(status.commit_age.ToTimedelta()),
        )
    else:
        yield ok(N_("node"), N_("Version {version} runs."), version=status.version)


def _peers(config: Config, register: Register) -> Iterator[Check]:
    keys = load_keys(config, register.described_member(config.member))
    # The running node may sign more at any time: a peer can only know what was signed before it is asked.
    yield from check_peers(config, register, keys, lambda: log_size(read_checkpoint(config.data / "checkpoint") or b""))


def _guarded(name: str, look: Look) -> Iterator[Check]:
    try:
        yield from look()
    except NodeStopped as error:
        yield _failed(name, error)
    except PaizaError as error:
        yield _failed(name, explained(error))
    except OSError as error:
        remedy = N_("Check the named file or disk.")
        yield fail(name, "{path}: {error}.", remedy, path=error.filename or "", error=_(error.strerror or str(error)))


def _failed(name: str, error: NodeStopped) -> Check:
    what, where, remedy = error.translated(_)
    return fail(name, "{what} ({where})", "{remedy}", what=what, where=where, remedy=remedy)


def _print(check: Check) -> None:
    what, remedy = check.in_words()
    line = f"{_(WORDS[check.level]):<5} {_(check.name)}: {plain_line(what)}"
    click.echo(" ".join((line, _("Remedy:"), plain_line(remedy))) if remedy else line)


def _as_object(check: Check) -> dict[str, str]:
    what, remedy = check.in_words()
    return {"check": check.name, "level": check.level.name.lower(), "what": what, "remedy": remedy}
