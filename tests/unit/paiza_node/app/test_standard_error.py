"""The interpreter's report of a fatal error stands in the log whole, however the process and its threads end."""

import json
import os
import signal
import subprocess
import sys
from typing import Final

PROCESSES: Final = 12  # at one time: on a busy machine the thread that logs other lines would read the beginning
PROGRAM: Final = """
import threading, time
import structlog
from paiza_node.app.standard_error import captured

def wait(calls):
    time.sleep(600) if calls == 0 else wait(calls - 1)

with captured() as log:
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.WriteLoggerFactory(log)
    )
    for _ in range(8):
        threading.Thread(target=wait, args=(20,), daemon=True).start()
    print("ready", flush=True)
    wait(20)
"""


def test_report_of_a_fatal_error_is_one_event_from_its_beginning() -> None:
    """Each of many processes that a fault ends leaves it."""
    command, pipe = [sys.executable, "-c", PROGRAM], subprocess.PIPE
    programs = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(PROCESSES)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        os.kill(program.pid, signal.SIGSEGV)
    for program in programs:
        _, log = program.communicate()  # ends with the small process that writes what is left
        (event,) = map(json.loads, log.splitlines())
        assert event["text"].startswith("Fatal Python error: Segmentation fault\n\n")
