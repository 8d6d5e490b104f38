"""A federation that is left running (`make up`), and the end of exactly its processes (`make down`)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from paiza_trust.errors import TrustError
from tests.demo import links
from tests.demo.day import MEMBERS
from tests.demo.desk import DemoFailedError, Desk
from tests.demo.words import Voice
from tests.federation import STOP_SECONDS, Federation, NodeProcess

POLL_SECONDS: Final = 0.05
VERIFY_SECONDS: Final = 120.0
START_SECONDS: Final = 60.0
_LINKS_PID: Final = "links.pid"


def up(folder: Path, voice: Voice) -> None:
    """Make the federation unless it is there, start the nodes that do not run, and say how to use it."""
    try:
        if (folder / "root.json").exists():
            federation = Federation(folder, MEMBERS)
        else:
            federation = Federation.create(folder, MEMBERS)
    except TrustError as error:
        raise DemoFailedError(f"{error.what}: {error.where}. {error.remedy}") from error
    started = [node for node in federation.nodes.values() if _running(node) is None]
    try:
        for node in started:
            _start(node)
        for node in started:
            node.wait_until_serving()
    except BaseException:
        for node in started:
            node.kill()
            _pid_file(node).unlink(missing_ok=True)
        raise
    for node in federation.nodes.values():
        state = voice("started", "запущен") if node in started else voice("was running", "уже работал")
        print(f"  {node.member:7} {node.address:16} {state}")
    print(
        voice(
            "\nThe profiles are <member>-<officer>: liaison, duty, authoriser, coordinator, auditor, custodian, data."
            " Now:\n",
            "\nПрофили: <участник>-<сотрудник>: liaison, duty, authoriser, coordinator, auditor, custodian, data."
            " Теперь:\n",
        )
    )
    print(f"  export PATH={Path(sys.executable).parent}:$PATH PAIZA_HOME={folder.absolute() / 'home'}")
    print("  paiza --profile kaz-liaison inbox")
    print("  paiza --profile kaz-liaison send free-message tests/demo/drafts/thanks.yaml --to tjk")
    print(
        voice(
            "\nThe console of each profile in the browser; a link starts it and signs in:\n",
            "\nКонсоль каждого профиля в браузере; ссылка запускает её и открывает вход:\n",
        )
    )
    for profile, link in _links(folder).items():
        print(f"  {profile:18} {link}")
    print(voice("\n  make down     stops it", "  make down     остановить"))


def down(folder: Path, voice: Voice) -> None:
    """Stop the nodes and consoles that `up` started and no other process; waits until the nodes have ended."""
    serving = _serves_links(folder)
    if serving is not None:
        os.kill(serving, signal.SIGTERM)
    for name in (_LINKS_PID, links.FILE):
        (folder / name).unlink(missing_ok=True)
    stopping: dict[NodeProcess, int] = {}
    for node in Federation(folder, MEMBERS).nodes.values():
        running = _running(node)
        if running is None:
            _pid_file(node).unlink(missing_ok=True)
        else:
            os.kill(running, signal.SIGTERM)
            stopping[node] = running
    deadline = time.monotonic() + STOP_SECONDS
    for node, pid in stopping.items():
        while _running(node) == pid:
            if time.monotonic() > deadline:
                raise DemoFailedError(f"{node.member} (process {pid}) does not stop; its log is {node.log}")
            time.sleep(POLL_SECONDS)
        _pid_file(node).unlink(missing_ok=True)
    names = ", ".join(node.member for node in stopping)
    print(
        voice(f"Stopped: {names}.", f"Остановлены: {names}.")
        if names
        else voice("Nothing runs.", "Ничего не работает.")
    )


def _links(folder: Path) -> dict[str, str]:
    """Return the link of each profile's console, from the process that serves them; start it unless it runs."""
    file = folder / links.FILE
    if _serves_links(folder) is None:
        file.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-m", links.__name__, str(folder.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        (folder / _LINKS_PID).write_text(f"{process.pid}\n")
        deadline = time.monotonic() + START_SECONDS
        while not file.exists() or not file.stat().st_size:
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailedError("the links to the consoles are not served")
            time.sleep(POLL_SECONDS)
    found: dict[str, str] = json.loads(file.read_text())
    return found


def _serves_links(folder: Path) -> int | None:
    """Return the process that serves the links of this federation; None where it does not run."""
    try:
        pid = int((folder / _LINKS_PID).read_text())
    except (OSError, ValueError):
        return None
    return pid if {links.__name__, str(folder.absolute())} <= set(_command_line(pid)) else None


def verify_node(node: NodeProcess, desk: Desk) -> None:
    """Run `paiza-node verify` on one node; DemoFailedError unless it finds everything in order."""
    print(f"   $ paiza-node verify --config nodes/{node.member}/node.toml", flush=True)
    ran = subprocess.run(
        [*node.program, "verify", "--config", str(node.config)],
        env={**os.environ, "PAIZA_LANG": desk.voice.language},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=VERIFY_SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        raise DemoFailedError(
            f"paiza-node verify of {node.member}: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}"
        )
    for line in ran.stdout.splitlines():
        desk.tell(line, line)


def _start(node: NodeProcess) -> None:
    """Start a node that outlives this program and the terminal; what it prints goes to its log."""
    with node.log.open("ab") as log:
        node.process = subprocess.Popen(
            [*node.program, "run", "--config", str(node.config.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _pid_file(node).write_text(f"{node.process.pid}\n")


def _pid_file(node: NodeProcess) -> Path:
    return node.folder / "node.pid"


def _running(node: NodeProcess) -> int | None:
    """Return the process in the pid file if it is this node; a number that now belongs to another program is none."""
    try:
        pid = int(_pid_file(node).read_text())
    except (OSError, ValueError):
        return None
    return pid if str(node.config.absolute()) in _command_line(pid) else None


def _command_line(pid: int) -> list[str]:
    """Return the words of a process's command line, none where there is no such process or it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return []
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.split()
