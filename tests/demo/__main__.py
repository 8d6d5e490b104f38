"""`make demo | up | down`: a federation of four real nodes on this machine, and a working day in it.

Exit codes: 0 everything held, 1 something did not (the text says what), 130 interrupted.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from paiza_wire.errors import PaizaError
from tests.demo import logs, proof, standing, table, waiting, words
from tests.demo.day import ACTS, MEMBERS, Day
from tests.demo.desk import DemoFailedError, Desk
from tests.demo.words import Voice
from tests.federation import Federation, NodeFailedError


def main() -> int:
    """Run the requested command; except for `up`, every started process has ended when it returns."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("what", choices=("demo", "up", "down"))
    parser.add_argument("--lang", choices=("en", "ru"), default="")
    parser.add_argument("--folder", type=Path, default=Path("run"), help="where `up` keeps its federation")
    options = parser.parse_args()
    voice = words.choose(options.lang, os.environ)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _stop)
    try:
        if options.what == "up":
            standing.up(options.folder, voice)
        elif options.what == "down":
            standing.down(options.folder, voice)
        else:
            demo(voice)
    except (DemoFailedError, NodeFailedError, PaizaError) as error:
        print(f"\n{voice('It did not hold', 'Не выполнено')}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has gone; the rest of Python's buffer must not fail a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"\n{voice('Interrupted; everything was ended.', 'Прервано; всё остановлено.')}", file=sys.stderr)
        return 130
    return 0


def demo(voice: Voice) -> None:
    """Play the day, prove it, print the table."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="paiza-demo-", ignore_cleanup_errors=True) as temporary:
        with Federation.create(Path(temporary) / "federation", MEMBERS) as federation:
            federation.start()
            names = ", ".join(f"{node.member} {node.address}" for node in federation.nodes.values())
            print(voice("Four nodes, each a process of its own:", "Четыре узла, каждый в своём процессе:"), names)
            print(
                voice(
                    "Every step is the command shown. All persons, agencies and places are invented.",
                    "Каждый шаг — показанная команда. Все лица, ведомства и места вымышлены.",
                )
            )
            day = Day(federation, Desk(Path(temporary) / "desk", federation.home, voice))
            for number, (title, act) in enumerate(ACTS, 1):
                print(f"\n{number}. {voice(*title)}")
                act(day)
            print(f"\n{len(ACTS) + 1}. {voice('Proof, to anybody, without a node', 'Доказательство без узла')}")
            proof.by_hand(day)
            delivered, files = proof.every_message(federation)
            known = [state for each in MEMBERS for state in waiting.known_logs(federation.home, f"{each}-auditor")]
            for node in federation.nodes.values():
                standing.verify_node(node, day.desk)
            federation.stop()
            agreed = logs.compare(federation, files, known)
        print()
        table.show(voice, delivered, day.refusals)
        seconds = time.monotonic() - began
        print(
            voice(
                f"All held: {len(delivered)} deliveries, each with a receipt verified offline. 4 logs, "
                f"{agreed.entries} entries, hashed\nanew; {agreed.proofs} proofs and {agreed.checkpoints} checkpoints "
                f"that others keep of them agree. {seconds:.0f} s.",
                f"Всё выполнено. Доставок с квитанцией, проверенной без сети: {len(delivered)}. Журналов, "
                f"пересчитанных заново: 4;\nзаписей в них: {agreed.entries}. Согласуются с ними доказательства у "
                f"других участников: {agreed.proofs}, контрольные точки: {agreed.checkpoints}. {seconds:.0f} с.",
            )
        )
        print(
            voice(
                "To keep the same federation running, with its console in the browser: make up",
                "Оставить такую же федерацию работать, с консолью в браузере: make up",
            )
        )


def _stop(*_arguments: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
