"""The node's one configuration file, checked whole before anything is started.

Every setting, its default and its danger: "Configuration" in node/README.md. Environment variables
`PAIZA_NODE_<SETTING>` override the file.
"""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from paiza_cli.toml_text import parse_toml
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.limits import Limits, bounds
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID

MAX_FILE_BYTES: Final = 64 * 1024
MAX_SOCKET_PATH: Final = 107  # bytes; the operating system's limit for Unix sockets
ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
_MAX_PORT: Final = 65535
VARIABLE_PREFIX: Final = "PAIZA_NODE_"  # PAIZA_PASSPHRASE_FILE alone is that of an officer's key

REQUIRED: Final = ("member", "federation", "listen", "bootstrap_root")
DEFAULTS: Final[Mapping[str, Any]] = {
    "data": "data",
    "database": "",
    "keys": "keys",
    "sealed": True,
    "passphrase_file": "",
    "admin_socket": "data/admin.sock",
    "issuer_socket": "",
    "enrol_listen": "",
    "enrol_address": "",
    "metrics_listen": "",
    "policy": "",
    "reflection": False,
    "delivery_life_hours": 336,
    "approval_life_hours": 72,
    "audit_retention_days": 3653,
    "duty_unit": "",
    "log_level": "info",
    "limits": {},
}


@dataclass(frozen=True, slots=True)
class Config:
    """The content of node.toml, with defaults filled in and paths made absolute."""

    path: Path
    member: str
    federation: str
    listen: str
    bootstrap_root: Path
    data: Path
    database: str
    keys: Path
    sealed: bool
    passphrase_file: Path | None
    admin_socket: Path
    issuer_socket: Path | None
    enrol_listen: str
    enrol_address: str
    metrics_listen: str
    policy: Path | None
    reflection: bool
    delivery_life: timedelta
    approval_life: timedelta
    audit_retention: timedelta
    duty_unit: str
    log_level: str
    limits: Limits


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check the file; NodeStopped("bad_configuration") names the line and the remedy.

    ``environment`` are environment variables by name, those of this process by default.
    """
    return SettingsReader(path.resolve(), *read_toml(path), os.environ if environment is None else environment).config()


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of a configuration file and its values; NodeStopped("bad_configuration") if it is none."""
    try:
        with path.open("rb") as file:  # whatever is named, a device too, is read no further than this
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _bad(
            N_("The file cannot be read: {error}."), path, N_("Name it with --config."), error=error.strerror
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise _bad(
            N_("The file has over {most} bytes."),
            path,
            N_("This is not a node.toml; name another."),
            most=MAX_FILE_BYTES,
        )
    try:
        values = parse_toml(data)
    except ValueError as error:
        raise _bad(N_("The file is not TOML: {error}."), path, N_("Correct the named line."), error=error) from error
    return data.decode(), values


class SettingsReader:
    """Checks one setting of a configuration file after the other, and reports the place of each."""

    required: ClassVar[Collection[str]] = REQUIRED
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS

    def __init__(self, path: Path, text: str, values: dict[str, Any], environment: Mapping[str, str]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._values = values
        self._environment = environment

    def config(self) -> Config:
        """Return the content of a node.toml."""
        self._check_names()
        data = self._file("data")
        return Config(
            path=self._path,
            member=self._matching("member", MEMBER_ID, N_("Write a member id such as kaz.")),
            federation=self._matching("federation", FEDERATION_NAME, N_("Write a name such as paiza.example.")),
            listen=self._address("listen"),
            bootstrap_root=self._file("bootstrap_root"),
            data=data,
            database=self._text("database") or f"sqlite:///{data / 'paiza.db'}",
            keys=self._file("keys"),
            sealed=self._switch("sealed"),
            passphrase_file=self._unresolved("passphrase_file") if self._text("passphrase_file") else None,
            admin_socket=self._socket("admin_socket"),
            issuer_socket=self._socket("issuer_socket") if self._text("issuer_socket") else None,
            enrol_listen=self._address("enrol_listen") if self._text("enrol_listen") else "",
            enrol_address=self._enrol_address(),
            metrics_listen=self._address("metrics_listen") if self._text("metrics_listen") else "",
            policy=self._file("policy") if self._text("policy") else None,
            reflection=self._switch("reflection"),
            delivery_life=timedelta(hours=self._number("delivery_life_hours", 1, 24 * 365)),
            duty_unit=self._text("duty_unit"),
            approval_life=timedelta(hours=self._number("approval_life_hours", 1, 24 * 30)),
            audit_retention=timedelta(days=self._number("audit_retention_days", 365, 36_525)),
            log_level=self._one_of("log_level", ("debug", "info", "warning", "error")),
            limits=self._limits(),
        )

    def _limits(self) -> Limits:
        """Return the table of limits; each is a setting of its own, also in the environment."""
        table = self._value("limits")
        if not isinstance(table, dict):
            raise self._bad("limits", N_("It is not a table."), N_("Write [limits], and one limit a line below it."))
        return _LimitsReader(self._path, "\n".join(self._lines), table, self._environment).limits()

    def _check_names(self) -> None:
        for name in self._values:
            if name not in self.required and name not in self.defaults:
                raise self._bad(name, N_("There is no such setting."), N_("Remove the line, or correct its name."))

    def _enrol_address(self) -> str:
        """Return where persons enrol; where there is an issuer, there is such an address."""
        if not self._text("issuer_socket"):
            return ""
        for name in ("enrol_listen", "enrol_address"):
            if not self._text(name):
                raise self._bad(
                    name,
                    N_("The setting is missing: with issuer_socket, officers enrol at this node."),
                    N_("Write the address to listen on as enrol_listen, the one that officers reach as enrol_address."),
                )
        return self._address("enrol_address")

    def _value(self, name: str) -> Any:
        variable = f"{VARIABLE_PREFIX}{name.upper()}"
        if variable in self._environment:
            return self._environment[variable]
        if name in self._values:
            return self._values[name]
        if name in self.defaults:
            return self.defaults[name]
        raise _bad(
            N_("The setting {setting} is missing."), self._path, N_('Add a line: {setting} = "…".'), setting=name
        )

    def _text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str):
            raise self._bad(name, N_("It is not a text."), N_("Write it in quotation marks."))
        return value

    def _matching(self, name: str, pattern: re.Pattern[str], remedy: str) -> str:
        value = self._text(name)
        if not pattern.fullmatch(value):
            raise self._bad(name, N_("{value!r} is not well formed."), remedy, value=value)
        return value

    def _address(self, name: str) -> str:
        value = self._text(name)
        match = ADDRESS.fullmatch(value)
        if match is None or not 0 < int(match[2]) <= _MAX_PORT:
            raise self._bad(name, N_("{value!r} is not host:port."), N_('Write it like "127.0.0.1:7401".'), value=value)
        return value

    def _file(self, name: str) -> Path:
        return self._unresolved(name).resolve()

    def _unresolved(self, name: str) -> Path:
        """Return a path whose symbolic links are not followed, for a file that must not be one."""
        value = self._text(name)
        if not value or "\0" in value:
            raise self._bad(
                name, N_("It is not a path."), N_("Write a path; a relative one begins at this file's folder.")
            )
        return self._path.parent / value

    def _socket(self, name: str) -> Path:
        path = self._file(name)
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise self._bad(
                name,
                N_("The path is over {most} bytes long."),
                N_("Choose a shorter one."),
                most=MAX_SOCKET_PATH,
            )
        return path

    def _number(self, name: str, least: int, most: int) -> int:
        value = self._value(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._bad(
                name,
                N_("{value!r} is not a whole number from {least} to {most}."),
                N_("Write such a number."),
                value=value,
                least=least,
                most=most,
            )
        return value

    def _switch(self, name: str) -> bool:
        value = self._value(name)
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value)
        if not isinstance(value, bool):
            raise self._bad(
                name, N_("It is neither true nor false."), N_("Write true or false, without quotation marks.")
            )
        return value

    def _one_of(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._text(name)
        if value not in choices:
            raise self._bad(
                name,
                N_("{value!r} is not one of {choices}."),
                N_("Write one of them."),
                value=value,
                choices=", ".join(choices),
            )
        return value

    def _bad(self, name: str, what: str, remedy: str, **values: object) -> NodeStopped:
        variable = f"{VARIABLE_PREFIX}{name.upper()}"
        if variable in self._environment:
            where, values["variable"] = N_("the environment variable {variable}"), variable
            return NodeStopped("bad_configuration", what=what, where=where, remedy=remedy, **values)
        begins = re.compile(rf"\s*\"?{re.escape(name)}\"?\s*=|\s*\[+{re.escape(name)}\b")
        numbers = [number for number, line in enumerate(self._lines, 1) if begins.match(line)]
        values |= {"path": self._path, "setting": name, "line": numbers[0] if numbers else 0}
        where = N_("{path}, line {line}: {setting}") if numbers else "{path}: {setting}"
        return NodeStopped("bad_configuration", what=what, where=where, remedy=remedy, **values)


class _LimitsReader(SettingsReader):
    required: ClassVar[Collection[str]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {limit.name: limit.default for limit in fields(Limits)}

    def limits(self) -> Limits:
        """Return the limits of a node.toml."""
        self._check_names()
        return Limits(**{limit.name: self._number(limit.name, *bounds(limit)) for limit in fields(Limits)})


def _bad(what: str, path: Path, remedy: str, **values: object) -> NodeStopped:
    return NodeStopped("bad_configuration", what=what, where="{path}", remedy=remedy, path=path, **values)
