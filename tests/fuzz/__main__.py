"""`python -m tests.fuzz`: coverage-guided fuzzing of every target, each in a process of its own (`make fuzz`).

The engine is atheris (libFuzzer), which changes inputs by what they cover; half of the changes are those of `mutating`,
which keep an input nearly valid. The federation whose files, messages and calls are the seeds is made anew in a folder,
with the inputs that each target found worth keeping; `--folder` goes on with one.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.names import NAMES


def main(arguments: Sequence[str]) -> int:
    """Run targets one after the other, or be the process of one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=int, default=600, help="of each target")
    parser.add_argument("--folder", type=Path, help="of the federation and the corpora; default: a temporary one")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := set(given.targets) - {*NAMES}:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="paiza-fuzz-"))
    folder.mkdir(exist_ok=True)
    if given.inside:
        from tests.fuzz import inside  # noqa: PLC0415 - what it imports is instrumented: only where it runs

        inside.fuzz(given.targets[0], folder, given.seconds)
        return 0
    failed = [name for name in given.targets or NAMES if not _run(name, folder, given.seconds)]
    print(f"Targets with defects: {', '.join(failed) or 'none'}. The folder is {folder}.")
    return 1 if failed else 0


def _run(name: str, folder: Path, seconds: int) -> bool:
    """Run a target in a process of its own, since libFuzzer ends the one that it runs in."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz", name, "--inside", f"--folder={folder}", f"--seconds={seconds}"]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    text = log.read_text(errors="replace")
    counted = [line for line in text.splitlines() if line.startswith("fuzzed ")]
    told = counted[-1] if counted else "it did not come to its end"
    print(f"{name}: {'ok' if not code else 'FAILED'}, {told}, {time.monotonic() - began:.0f} s in all", flush=True)
    if code:
        print("\n".join(text.splitlines()[-40:]))
    return not code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
