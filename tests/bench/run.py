"""One run of the benchmark: its sizes, its folder, its federation, and what it found so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.bench.corpus import Corpus, prepare
from tests.bench.figures import Figure, Missing
from tests.federation import Federation

SENDER, RECEIVER = "kaz", "tjk"


@dataclass(frozen=True)
class Sizes:
    """The amount of measurement. With the defaults a run takes under six minutes on two quiet cores."""

    messages: int = 15_000  # in one pass of the pipeline
    repeats: int = 2  # passes of the pipeline
    bulk: int = 50_000  # messages that a FLASH message overtakes
    stored: int = 20_000  # messages in the store that is started and verified
    logged: int = 1_000_000  # entries of the log that is verified, started and asked for proofs
    content_bytes: int = 1024
    counted: int = 100_000  # messages whose matrix is asked for
    imported: int = 4_000  # rows of one imported table
    notices: int = 1_200  # messages to nine members each; the last cosignatures come seconds after them
    opened: int = 1_000  # notices that statistics and an export open
    shown: int = 100_000  # messages stored while the console shows pages


@dataclass
class Run:
    """Shared by all rows; what is costly (federation, corpus) is made when first asked for."""

    folder: Path
    results: Path
    sizes: Sizes
    say: Callable[[str], None]
    rows: Sequence[str] = ()
    figures: list[Figure | Missing] = field(default_factory=list)
    others: dict[str, float] = field(default_factory=dict)

    @cached_property
    def federation(self) -> Federation:
        """Two members, whose stores each row empties as it needs."""
        return Federation.create(self.folder / "federation", [SENDER, RECEIVER])

    @cached_property
    def corpus(self) -> Corpus:
        """Messages signed and sealed by worker processes, for all rows."""
        most = max(self.sizes.bulk if "latency" in self.rows else 0, self.sizes.messages)
        self.say(f"signing and sealing {most:,} messages (not timed) ...")
        return prepare(
            self.folder / "corpus",
            self.federation.folder,
            f"{SENDER}-liaison",
            RECEIVER,
            count=most,
            content_bytes=self.sizes.content_bytes,
        )

    def found(self, name: str) -> Figure | None:
        """Return the figure of this name, None where this run did not measure it."""
        return next((each for each in self.figures if isinstance(each, Figure) and each.name == name), None)

    def close(self) -> None:
        """End what was started."""
        if "federation" in self.__dict__:
            self.federation.__exit__(None, None, None)
