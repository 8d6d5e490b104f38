"""A federation with a morning's messages, the real `paiza web`, and Debian's Chromium that looks at it.

with morning(folder) as federation, serving(federation, "kaz-liaison") as link:
...
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Playwright

from tests.demo import waiting, words
from tests.demo.day import MEMBERS, Day, questions, seizures
from tests.demo.desk import Desk
from tests.federation import Federation

ROOT: Final = Path(__file__).resolve().parents[2]
FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # CI is root in a machine of its own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE: Final = '<script>document.title="taken"</script><img src=x onerror=alert(1)> {{ 7*7 }} javascript:alert(1)'
"""What a hostile member writes into a field; the subject of one message is this."""
START_SECONDS: Final = 180.0  # of a console or the browser; a limit, not a measure

_HOSTILE_DRAFT: Final = """\
kind: free-message
to: [kaz]
urgency: routine
handling: {{tlp: AMBER, code: H0, classification: 1}}
legal_bases: [exercise-agreement]
review: 1 year
content:
  subject: {subject}
  text: {text}
"""
_WOLVES: Final = """\
kind: wolf-note
to: [kaz]
urgency: routine
handling: {tlp: GREEN, code: H0, classification: 1}
legal_bases: [exercise-agreement]
review: 1 year
content:
  country: TJK
  wolves: 7
"""


@dataclass(frozen=True)
class Morning:
    """The federation, and what a test must know of its messages: the thread of the delivery, ids of single messages."""

    federation: Federation
    day: Day
    delivery: str
    hostile: str
    wolves: str

    @property
    def home(self) -> Path:
        """Return the folder of all profiles."""
        return self.federation.home

    @property
    def notice(self) -> str:
        """Return the thread of the notice of a seizure: the first that kaz began this year."""
        return f"KAZ-{self.delivery.split('-')[1]}-00001"

    @property
    def question(self) -> str:
        """Return the thread of the request with its answer: the second one."""
        return f"KAZ-{self.delivery.split('-')[1]}-00002"


def chromium() -> str | None:
    """Return the path of the browser; None where there is none."""
    return shutil.which("chromium")


def launch(playwright: Playwright) -> Browser:
    """Start the browser."""
    return playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS), timeout=START_SECONDS * 1000)


def environment() -> dict[str, str]:
    """Return the variables of every process: with the kind of `tests/kinds` installed."""
    path = os.pathsep.join([str(ROOT / "tests" / "kinds"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "LANGUAGE": "en"}


@contextmanager
def morning(folder: Path) -> Iterator[Morning]:
    """Run a federation in which notices, a request with its answer and the request for a delivery were exchanged."""
    os.environ["PYTHONPATH"] = environment()["PYTHONPATH"]  # the officers' program of the demo knows the kind as well
    with Federation.create(folder / "federation", MEMBERS) as federation:
        for node in federation.nodes.values():
            node.start(wait=False, environment=environment())
        for node in federation.nodes.values():
            node.wait_until_serving()
        day = Day(federation, Desk(folder / "desk", federation.home, words.choose("en", {})))
        seizures(day)
        questions(day)
        asked = day.send("tjk-liaison", "cd", "request", "cd-request.yaml")
        day.arrive("tjk-liaison", asked)
        quoted = json.dumps(HOSTILE)
        (day.desk.folder / "hostile.yaml").write_text(_HOSTILE_DRAFT.format(subject=quoted, text=quoted))
        (day.desk.folder / "wolves.yaml").write_text(_WOLVES)
        hostile = day.send("tjk-liaison", "send", "free-message", "hostile.yaml")
        wolves = day.send("tjk-liaison", "send", "wolf-note", "wolves.yaml")
        for sent in (hostile, wolves):
            waiting.until_settled(federation.home, "tjk-liaison", sent["id"], ("kaz",))
        yield Morning(federation, day, asked["thread"], hostile["id"], wolves["id"])


@contextmanager
def serving(home: Path, profile: str, *options: str) -> Iterator[str]:
    """Run `paiza web` for a profile; yield its launch link, which works once."""
    command = [sys.executable, "-m", "paiza_client", "--profile", profile, "web", "--no-open", "--json", *options]
    with subprocess.Popen(
        command, env={**environment(), "PAIZA_HOME": str(home)}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield link_of(process.stdout.readline())
        finally:
            process.terminate()


def link_of(line: str) -> str:
    """Return the link in a line of `paiza web --json`."""
    told: dict[str, Any] = json.loads(line)
    return str(told["link"])


def second_link(home: Path, profile: str) -> str:
    """Start `paiza web` a second time, which shows the console that runs; return its link."""
    command = [sys.executable, "-m", "paiza_client", "--profile", profile, "web", "--no-open", "--json"]
    ran = subprocess.run(
        command,
        env={**environment(), "PAIZA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=START_SECONDS,
    )
    return link_of(ran.stdout)
