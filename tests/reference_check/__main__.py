"""Check the reference data that come with the program; print the counts of facts and a sample; exit 0 or 1."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from paiza_domain import reference
from paiza_domain.reference import Fact, Standing
from paiza_trust import reference_source
from tests.reference_check import consistency, numbers

DRAWN = 40
"""Verified facts that somebody compares with public sources once more."""


def main() -> int:
    """Run the check."""
    parser = argparse.ArgumentParser(prog="make reference-check")
    parser.add_argument("--seed", type=int, help="Also draw verified facts to compare; the same seed draws the same.")
    arguments = parser.parse_args()
    known = reference.read(reference_source.all_documents(reference_source.OURS))
    problems = [f"{each.path}: {each.message('en')}" for each in known.problems]
    problems += consistency.problems(known)
    explained = numbers.explanations(reference_source.OURS)
    problems += numbers.problems(known, explained)
    for problem in problems:
        print(problem)
    facts = list(reference.facts(known))
    counts = Counter((each.kind, each.evidence.standing) for each in facts)
    for kind in dict.fromkeys(each.kind for each in facts):
        print(f"{kind:<16}" + "".join(f"{counts[kind, standing]:>5} {standing:<11}" for standing in Standing))
    total = Counter(each.evidence.standing for each in facts)
    print(f"{'all facts':<16}" + "".join(f"{total[standing]:>5} {standing:<11}" for standing in Standing))
    known_there = numbers.count_known(known.substances.values())
    print(f"{known_there} substances have a number that `chemicals` knows; {len(explained)} differences are explained")
    if arguments.seed is not None:
        for at, each in enumerate(_drawn(facts, arguments.seed), start=1):
            print(f"{at:>3}. {each.kind}, {each.id}: {each.text} [{each.evidence.source}]")
    print(f"{len(problems)} problems")
    return 1 if problems else 0


def _drawn(facts: Sequence[Fact], seed: int) -> Sequence[Fact]:
    """Return a sample of the verified facts; a fact that is added or changed replaces few of the others."""
    verified = [each for each in facts if each.evidence.standing is Standing.VERIFIED]

    def place(fact: Fact) -> bytes:
        return sha256(f"{seed} {fact.kind} {fact.id} {fact.text}".encode()).digest()

    return sorted(verified, key=place)[:DRAWN]


if __name__ == "__main__":
    sys.exit(main())
