"""An officer's desk: the real program `paiza` in a process of its own, every command shown before it runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.demo.words import WIDTH, Voice

DRAFTS: Final = Path(__file__).parent / "drafts"

_FROM_NOW: Final = re.compile(r"\{\+(\d+)h\}")

COMMAND_SECONDS: Final = 120.0
"""A command takes one or two; only one that hangs takes this long."""


class DemoFailedError(Exception):
    """Something did not hold; the text says what."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a command: exit code, result and error from `--json`."""

    code: int
    result: Any
    error: dict[str, Any]


class Desk:
    """Runs `paiza` in a folder that holds the drafts, with the profiles of a federation."""

    def __init__(self, folder: Path, home: Path, voice: Voice) -> None:
        """Lay the drafts out in ``folder``, which is not there yet."""
        shutil.copytree(DRAFTS, folder)
        _put_times_in(folder, datetime.now(UTC))
        self.folder = folder
        self.voice = voice
        self._environment = {**os.environ, "PAIZA_HOME": str(home), "PAIZA_LANG": voice.language}
        # What the caller has set for himself must not choose another profile or key.
        for name in ("PAIZA_PROFILE", "PAIZA_PASSPHRASE_FILE"):
            self._environment.pop(name, None)

    def paiza(self, profile: str, *arguments: str, expect: int = 0) -> Answer:
        """Show and run one command; DemoFailedError where its exit code is not the one expected."""
        self._show(profile, arguments)
        ran = subprocess.run(
            [*_program(profile), *arguments, "--json"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if ran.returncode != expect:
            raise DemoFailedError(
                f"exit code {ran.returncode}, not {expect}: paiza {shlex.join(arguments)}\n{ran.stderr}"
            )
        return Answer(ran.returncode, _last_json(ran.stdout), _last_json(ran.stderr) or {})

    def template(self, profile: str, *arguments: str) -> str:
        """Show and run a command that prints a draft; gives the draft."""
        self._show(profile, arguments)
        return subprocess.run(
            [*_program(profile), *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=COMMAND_SECONDS,
            check=True,
        ).stdout

    @contextmanager
    def watching(self, profile: str, *arguments: str) -> Iterator[Iterator[Any]]:
        """Show and run a command that goes on; gives its lines as they come, and ends it."""
        self._show(profile, arguments)
        with subprocess.Popen(
            [*_program(profile), *arguments, "--json"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield (json.loads(line) for line in process.stdout)
            finally:
                process.terminate()  # not SIGINT, which a job in the background is deaf to
                try:
                    process.wait(COMMAND_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()

    def tell(self, english: str, russian: str) -> None:
        """Print the outcome of a command."""
        print(f"     {self.voice(english, russian)}", flush=True)

    def _show(self, profile: str, arguments: Sequence[str]) -> None:
        named = ["--profile", profile] if profile else []
        line = f"   $ {shlex.join(['paiza', *named, *arguments])}"
        print(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…", flush=True)


def _put_times_in(folder: Path, now: datetime) -> None:
    """Replace {+26h} in the drafts by the minute that is 26 hours from now."""
    for draft in folder.glob("*.yaml"):
        text = draft.read_text(encoding="utf-8")
        draft.write_text(
            _FROM_NOW.sub(lambda found: f"{now + timedelta(hours=int(found[1])):%Y-%m-%dT%H:%MZ}", text),
            encoding="utf-8",
        )


def _program(profile: str) -> list[str]:
    return [sys.executable, "-m", "paiza_client", *(["--profile", profile] if profile else [])]


def _last_json(text: str) -> Any:
    """Return the last line that is JSON; notes of the program may stand before it."""
    for line in reversed(text.splitlines()):
        if line.startswith(("{", "[")):
            return json.loads(line)
    return None
