"""One target under atheris; the code that it runs is instrumented, so that inputs are told apart by their paths."""

import os
import time
from pathlib import Path
from random import Random
from typing import Final

import atheris

OURS: Final = (
    "paiza_wire", "paiza_register", "paiza_domain", "paiza_node", "paiza_client", "paiza_officer", "paiza_trust",
)  # fmt: skip

with atheris.instrument_imports(include=list(OURS)):
    from tests.fuzz.targets import World


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz a target for some seconds; the process ends then, or with the first defect."""
    world = World(folder)
    target = world.target(name)
    corpus = folder / "corpus" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number:04}").write_bytes(seed)
    found = folder / "found"
    found.mkdir(exist_ok=True)
    ends = time.monotonic() + seconds
    began = time.monotonic()

    def one(data: bytes) -> None:
        target.check(data)
        if time.monotonic() > ends:
            counted = target.counted
            per_second = counted.ran / (time.monotonic() - began)
            print(
                f"fuzzed {counted.ran} inputs, {per_second:.0f}/s, {counted.accepted} accepted,"
                f" {len([*corpus.iterdir()])} kept, slowest {counted.slowest:.2f} s",
                flush=True,
            )
            os._exit(0)  # threads of nodes may run still

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.randrange(2):
            return bytes(atheris.Mutate(data, max_size))
        return target.mutate(random, data)[:max_size]

    options = [
        "tests.fuzz", str(corpus), f"-max_len={target.max_bytes}", f"-artifact_prefix={found}/{target.name}-",
        "-timeout=60", "-rss_limit_mb=3072", "-print_final_stats=1", "-len_control=0",
    ]  # fmt: skip
    atheris.Setup(options, one, custom_mutator=mutator)
    atheris.Fuzz()
