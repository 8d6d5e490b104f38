"""A process that has imported the node's program, and is copied for each node that starts: imports take 0.8 s of it.

    python -m tests.integration.copier run    (standard input: a socket of requests, see `conftest.py`)

A copy goes on where a node that was started anew is after its imports: a process of its own, with the command, folder,
environment and log that it was given. Its parent is another copy, which waits for its end and tells the exit code.
"""

import gc
import json
import os
import socket
import sys
from contextlib import suppress
from typing import Final, NoReturn

import paiza_node  # sets what gRPC reads when it is imported
from paiza_domain.loading import load_all
from paiza_node.__main__ import main
from paiza_node.app import lean
from paiza_node.ops.cli import root

REQUEST_BYTES: Final = 131_072  # most of it is the environment
IMPORTED: Final = (paiza_node, lean, root)
GRPC: Final = {name: text for name, text in os.environ.items() if name.startswith("GRPC_")}


def serve(requests: socket.socket) -> None:
    """Copy this process for each request, until nobody can ask any more."""
    load_all()
    gc.freeze()  # a collection would touch, and so copy, all that was imported
    while True:
        data, handles, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 2)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # keepers whose nodes have ended
        if not data:
            return
        if os.fork() == 0:
            requests.detach()  # a node has another standard input, a keeper reads none
            _keep(data, *handles)
        for each in handles:
            os.close(each)


def _keep(data: bytes, log: int, told: int) -> NoReturn:
    """Start the node, and tell its process id and, when it has ended, its exit code."""
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _run(log, **json.loads(data))
    os.close(log)
    os.write(told, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(log: int, arguments: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for own, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(own, standard)
    os.close(nothing)
    os.close(log)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment | GRPC)
    sys.argv[1:] = arguments
    main(arguments)
    raise AssertionError("it returned")


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
