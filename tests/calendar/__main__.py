"""Lets a federation live through days whose clock is moved, and prints what was renewed, by whom, and what warned when.

    python -m tests.calendar --days 400 --life-hours 336

Three nodes run; the clock is moved by a little more than the pause after which the first publisher renews the
timestamp. What expires in a year is renewed as its warning says, on the day of its first warning:

- root and targets, and each role that people sign, by proposals in files, which one node joins;
- the nodes' and officers' certificates by the members' CAs;
- the nodes' encryption keys by a publication of each member.

A node is away for five steps, and all nodes for longer than a register lasts. Every 25 days an officer writes to
another. The run fails if a register is not renewed, a message does not arrive, or anything expires.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc

from paiza_register import RegisterReader
from paiza_wire.identity import SpiffeId
from tests.calendar import node as hurried
from tests.calendar.clock import Clock
from tests.federation import Federation, NodeProcess
from tests.profiles import USES, make_requests

MEMBERS: Final = ("kaz", "tjk", "uzb")
OFFICERS: Final = {"liaison": ("liaison",), "custodian": ("custodian",)}
LIFE_HOURS: Final = 336
DAYS: Final = 400
WAIT_SECONDS: Final = 180.0
POLL_SECONDS: Final = 0.2
OUTAGE_DAY: Final = 20
OUTAGE_STEPS: Final = 5
"""The first node is stopped for about so many steps; the second one renews in its place."""

SLEEP: Final = (200, 240)
"""Days between which all nodes are stopped: longer than any register lasts, with its grace."""

LOOK: Final = timedelta(days=7)
CLOSE_LOOK: Final = timedelta(days=1)
CLOSE_FROM: Final = 320
WRITE: Final = timedelta(days=25)

BY_THEMSELVES: Final = "timestamp|snapshot|revocations|register"
"""What nodes renew: checks that must never warn."""

UNSEALED: Final = "Not under a passphrase"
"""The warning of a development federation."""

DRAFT: Final = """\
kind: free-message
to: []
urgency: routine
handling:
  tlp: AMBER
  code: H2
  classification: 1
review: 1 year
content:
  subject: Day {day}
  text: Nothing of this is real.
"""


@dataclass
class Figures:
    """What a run counts."""

    steps: int = 0
    renewals: Counter[str] = field(default_factory=Counter)
    contents: Counter[str] = field(default_factory=Counter)
    first_warned: dict[str, float] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)
    messages: int = 0
    waits: list[float] = field(default_factory=list)


class Calendar:
    """A federation, its clock, and what happened so far."""

    def __init__(self, folder: Path, life: timedelta, sleep: tuple[int, int]) -> None:
        self.folder = folder
        self.life = life
        self.sleep = sleep
        self.clock = Clock(folder / "clock")
        self.federation = Federation.create(folder / "run", MEMBERS)
        self.figures = Figures()
        self._files = 0
        for each in self.federation.nodes.values():
            each.program = (sys.executable, str(hurried.__file__))

    @property
    def step(self) -> timedelta:
        """Return how far the clock is moved: past the turn of the first publisher that runs, not of the next one.

        The first publisher's turn comes when 12 of 288 parts of the timestamp's life are over, the second's after 14.
        """
        return self.life * (13 if self.federation.node(MEMBERS[0]).running else 15) / 288

    @property
    def running(self) -> list[NodeProcess]:
        """Return the nodes that run."""
        return [node for node in self.federation.nodes.values() if node.running]

    def start(self, *members: str) -> None:
        """Start nodes under the clock."""
        chosen = [self.federation.node(member) for member in members or MEMBERS]
        for node in chosen:
            node.start(wait=False, environment=self.clock.environment)
        for node in chosen:
            node.wait_until_serving()

    def command(self, program: str, *arguments: object, expect: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Run a program with --json under the clock; return what it prints."""
        given = [sys.executable, "-m", program, *map(str, arguments), "--json"]
        environment = {**self.clock.environment, "PAIZA_HOME": str(self.federation.home)}
        done = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in expect:
            raise SystemExit(f"day {self.clock.day:.1f}: {' '.join(given)}\n{done.stdout}\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
        return found

    def trust(self, *arguments: object) -> dict[str, Any]:
        """Run `paiza-trust`."""
        return self.command("paiza_trust", *arguments)

    def file(self, suffix: str) -> Path:
        """Return a new file name."""
        self._files += 1
        return self.folder / f"{self._files}.{suffix}"

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until something is so, by the real clock."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() > begun + WAIT_SECONDS:
                raise SystemExit(f"day {self.clock.day:.1f}: {what}\n{self.logs()}")
            time.sleep(POLL_SECONDS)
        self.figures.waits.append(time.monotonic() - begun)

    def logs(self) -> str:
        """Return the ends of the nodes' logs."""
        return "\n".join(f"{node.member}: {node.log_tail()}" for node in self.federation.nodes.values())

    def fresh(self) -> bool:
        """Return whether every node that runs holds one register, signed since the clock was moved."""
        try:
            found = [node.status() for node in self.running]
        except grpc.RpcError:  # on a busy machine an answer may take longer than a caller waits
            return False
        states = {(bytes(status.register_version), status.register_expiry_time.seconds) for status in found}
        if len(states) != 1:
            return False
        ((_version, seconds),) = states
        return datetime.fromtimestamp(seconds, UTC) > self.clock.now + self.life - self.step

    def advance(self) -> None:
        """Move the clock by a step; the nodes that run must renew the register."""
        self.clock.move(self.step)
        self.figures.steps += 1
        if self.running:
            self.wait("the register is not renewed", self.fresh)

    def look(self) -> None:
        """Ask the doctor of the first node; note the day on which a check first warned."""
        node = self.federation.node(MEMBERS[0])
        found = self.command("paiza_node", "doctor", "--config", node.config, expect=(0, 10, 11))
        for check in found["checks"]:
            name, level, what = f"{check['check']}", check["level"], check["what"]
            if level != "ok" and not what.startswith(UNSEALED) and self.first(f"{name} {level}"):
                print(f"day {self.clock.day:5.1f}: {name} [{level}]: {what}", flush=True)

    def first(self, name: str) -> bool:
        """Note a warning; return whether it is the first of its name."""
        new = name not in self.figures.first_warned
        self.figures.first_warned.setdefault(name, round(self.clock.day, 1))
        return new

    def warned(self, text: str) -> bool:
        """Return whether a check with one of these names has warned."""
        return any(re.match(text, name) for name in self.figures.first_warned)

    def write(self) -> None:
        """Send a message from an officer of one member to another, whose officer must see it."""
        draft = self.file("yaml")
        draft.write_text(DRAFT.format(day=round(self.clock.day)))
        sent = self.command("paiza_client", "--profile", "kaz-liaison", "send", "free-message", draft, "--to", "tjk")
        wanted = sent["id"]

        def arrived() -> bool:
            inbox = self.command("paiza_client", "--profile", "tjk-liaison", "inbox")
            return wanted in json.dumps(inbox)

        self.wait(f"message {wanted} does not arrive", arrived)
        self.figures.messages += 1

    def publish(self, base: Path, holders: tuple[str, ...], *act: object) -> Path:
        """Propose an act by files, have it signed, and publish it with the first node's key; return the register."""
        proposal, register = self.file("proposal"), self.file("register")
        first, *others = holders
        trust = self.federation.folder / "trust"
        self.trust("propose", *act, "--register", base, "--keys", trust / first, "-o", proposal, "--yes")
        for member in others:
            self.trust("sign", proposal, "--keys", trust / member, "--yes")
        self.trust("publish", proposal, "--node", self.federation.node(MEMBERS[0]).folder, "-o", register)
        self.figures.acts.append(f"day {self.clock.day:.1f}: {' '.join(map(str, act))}")
        return register

    def change(self, acts: Callable[[Path], Path]) -> None:
        """Carry the newest register to the custodians' machines and what they decide back to the first node."""
        node = self.federation.node(MEMBERS[0])
        base = self.file("register")
        self.trust("export", "--profile", f"{MEMBERS[0]}-custodian", "-o", base)
        assert node.stop() == 0
        register = acts(base)
        self.command("paiza_node", "join", register, "--config", node.config, "--yes")
        self.start(MEMBERS[0])

        def common() -> bool:
            return len({bytes(each.status().register_version) for each in self.running}) == 1

        self.wait("the change does not reach all nodes", common)

    def resign(self) -> None:
        """Sign all anew that people sign."""

        def acts(base: Path) -> Path:
            base = self.publish(base, MEMBERS[:2], "resign")
            base = self.publish(base, MEMBERS[:1], "resign", "federation.reference")
            for member in MEMBERS:
                base = self.publish(base, (member,), "resign", member)
            return base

        self.change(acts)

    def encrypt(self) -> None:
        """Publish another encryption key of each member, which its node has from its next start on."""

        def acts(base: Path) -> Path:
            for member in MEMBERS:
                proposal, register = self.file("proposal"), self.file("register")
                own = (
                    "--node",
                    self.federation.node(member).folder,
                    "--keys",
                    self.federation.folder / "trust" / member,
                )
                files = ("--register", base, "--output", proposal)
                self.command("tests.calendar.encryption", "--member", member, *own, *files)
                self.trust("publish", proposal, "--node", self.federation.node(MEMBERS[0]).folder, "-o", register)
                base = register
            return base

        # Each node has the key before others encrypt for it.
        self.change(acts)
        for member in MEMBERS[1:]:
            assert self.federation.node(member).stop() == 0
            self.start(member)
        self.figures.acts.append(f"day {self.clock.day:.1f}: encryption keys")

    def certify(self) -> None:
        """Certify nodes and officers anew, and start the nodes again."""
        for member, node in self.federation.nodes.items():
            trust, listed = self.federation.folder / "trust" / member, []
            made = self.file("crt")
            self.trust("ca", "certify", node.folder / "node.csr", "--keys", trust, "-o", made, "--yes")
            made.replace(node.folder / "keys/tls.crt")
            for name, roles in OFFICERS.items():
                profile = self.federation.home / f"{member}-{name}"
                identity = SpiffeId(member, "paiza.example", "officer", name)
                for use in USES:
                    (profile / f"{use}.crt").unlink()
                (profile / "officer.json").unlink(missing_ok=True)
                requests = make_requests(profile, identity)
                chosen = [part for role in roles for part in ("--role", role)]
                told = self.trust("ca", "certify", *requests, *chosen, "--keys", trust, "-o", profile, "--yes")
                listed.append(Path(told["admission"]).read_text())
            (node.folder / "officers.json").write_text("".join(listed))
            assert node.stop() == 0
            self.start(member)
            self.command("paiza_node", "officer", "admit", node.folder / "officers.json", "--config", node.config)
        self.figures.acts.append(f"day {self.clock.day:.1f}: certificates")

    def count(self) -> None:
        """Count what each node published: renewals of the timestamp, and content, which is put into force first."""
        for member, node in self.federation.nodes.items():
            updated = datetime.min.replace(tzinfo=UTC)
            for line in node.log.read_text().splitlines():
                event = json.loads(line) if line.startswith("{") else {}
                moment = datetime.fromisoformat(event["timestamp"]) if "timestamp" in event else updated
                if event.get("event") == "register_updated":
                    updated = moment
                elif event.get("event") == "register_published":
                    at_once = moment - updated < timedelta(minutes=1)
                    (self.figures.contents if at_once else self.figures.renewals)[member] += 1

    def days_left(self) -> dict[str, int]:
        """Return for how many days each role of the register still holds."""
        node = self.federation.node(MEMBERS[0])
        register = RegisterReader(node.data / "register", (node.folder / "root.json").read_bytes()).last
        assert register is not None, "the node has a register"
        return {role: (time - self.clock.now).days for role, time in sorted(register.role_expiries.items())}


def run(calendar: Calendar, days: int) -> None:
    """Live through the days."""
    calendar.start()
    policy = ("policy", "--timestamp-life-hours", str(calendar.life // timedelta(hours=1)))
    calendar.change(lambda base: calendar.publish(base, MEMBERS[:2], *policy))
    looked = wrote = -timedelta(days=days)
    resigned = certified = encrypted = False
    while calendar.clock.day < days:
        day = calendar.clock.day
        _outages(calendar, day)
        calendar.advance()
        now = timedelta(days=calendar.clock.day)
        if len(calendar.running) < len(MEMBERS):
            continue
        if now - looked >= (CLOSE_LOOK if day >= CLOSE_FROM else LOOK):
            calendar.look()
            looked = now
        if not resigned and calendar.warned("root|targets|reference data|member's files"):
            calendar.resign()
            resigned = True
        if not certified and calendar.warned("certificate|officers"):
            calendar.certify()
            certified = True
        if not encrypted and calendar.warned("encryption key"):
            calendar.encrypt()
            encrypted = True
        if now - wrote >= WRITE:
            calendar.write()
            wrote = now
    calendar.look()
    if calendar.warned(BY_THEMSELVES):
        raise SystemExit(f"a node did not renew what is its own: {calendar.figures.first_warned}")


def _outages(calendar: Calendar, day: float) -> None:
    """Stop and start nodes as the day demands."""
    nodes = calendar.federation.nodes
    down: tuple[str, ...] = ()
    if calendar.sleep[0] <= day < calendar.sleep[1]:
        down = MEMBERS
    elif OUTAGE_DAY <= day < OUTAGE_DAY + OUTAGE_STEPS * calendar.life / 20 / timedelta(days=1):
        down = MEMBERS[:1]
    for member in down:
        if nodes[member].running:
            assert nodes[member].stop() == 0
            print(f"day {day:5.1f}: stopped {member}", flush=True)
    if woken := [member for member in MEMBERS if member not in down and not nodes[member].running]:
        calendar.start(*woken)
        calendar.wait("the register is not renewed after an outage", calendar.fresh)
        print(f"day {day:5.1f}: started {', '.join(woken)}", flush=True)


def report(calendar: Calendar, begun: float) -> Mapping[str, object]:
    """Return the figures of a run."""
    calendar.count()
    figures = calendar.figures
    waits = sorted(figures.waits)
    archive = calendar.federation.node(MEMBERS[0]).data / "register"
    return {
        "days": round(calendar.clock.day, 1),
        "steps": figures.steps,
        "renewals": dict(figures.renewals),
        "other_publications": dict(figures.contents),
        "messages": figures.messages,
        "first_warned": figures.first_warned,
        "acts": figures.acts,
        "days_left": calendar.days_left(),
        "seconds_until_renewed": {"median": waits[len(waits) // 2], "longest": waits[-1]},
        "register_bytes": sum(path.stat().st_size for path in archive.rglob("*") if path.is_file()),
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }


def main() -> None:
    """Run a calendar and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--life-hours", type=int, default=LIFE_HOURS)
    parser.add_argument("--sleep", type=int, nargs=2, default=SLEEP, metavar=("FROM", "UNTIL"))
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="paiza-calendar-") as name:
        calendar = Calendar(Path(name), timedelta(hours=given.life_hours), tuple(given.sleep))
        with calendar.federation:
            run(calendar, given.days)
            print(json.dumps(report(calendar, begun), indent=1))


if __name__ == "__main__":
    main()
