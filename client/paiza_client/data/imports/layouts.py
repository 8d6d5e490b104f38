"""The encoding and the separator of a table, told from its first bytes.

For an error that names a wrong one, and for a proposed map. A map itself is never overruled: what is told here is not
certain, and only stated where the map clearly does not fit.
"""

import codecs
import csv
import re
from collections.abc import Collection
from itertools import islice
from typing import Final

SEPARATORS: Final = (",", ";", "\t", "|")
SAMPLE_BYTES: Final = 65_536  # of a table that are looked at
SAMPLE_LINES: Final = 20  # whose cells are counted

_SINGLE_BYTE: Final = ("cp1251", "cp866", "koi8-r", "cp1252")
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Letters and whatever else is not ASCII, but for marks that stand at words.
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORD: Final = re.compile("[^\x00-@\\[-`{-\x7f«»„“”’‘…—–№°]{3,}")
_CYRILLIC: Final = re.compile("[а-яё]+", re.IGNORECASE)
# How often a letter stands in Russian texts, in thousandths (National Corpus of the Russian Language).
_FREQUENCY: Final = dict(
    zip(
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
        (110, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 17, 16, 14, 12, 10, 9, 7, 6, 5, 4,
         3, 3, 1, 1),
        strict=True,
    )
)  # fmt: skip
_LATIN_WORD: Final = 50  # of a Latin word with an accent: as much as a usual Russian word
_FEWEST: Final = 3  # words that tell anything
_CLEARLY: Final = 1.5  # times as plausible, for a map to be doubted
_UPPER: Final = (0, 4)  # upper bytes of Latin and Cyrillic characters in UTF-16
_MOST: Final = 0.8
_PLAUSIBLE: Final = 30  # least mean of real words; a text in a wrong encoding has fewer


def encoding_of(sample: bytes) -> str:
    """Return the encoding of a table's beginning; empty for plain ASCII, which fits any, and where nothing fits."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    first, second = (sum(map(sample[start::2].count, _UPPER)) / (len(sample) / 2 or 1) for start in (0, 1))
    if max(first, second) > _MOST > 1 - _MOST > min(first, second):
        return "utf-16-be" if first > second else "utf-16-le"
    if sample.isascii():
        return ""
    if _decodes(sample):
        return "utf-8"
    best = max(_SINGLE_BYTE, key=lambda each: plausibility(sample, each))
    return best if plausibility(sample, best) >= _PLAUSIBLE else ""


def wrong_encoding(sample: bytes, stated: str) -> str:
    """Return the encoding that the table has instead of the stated one; empty where the stated one may be right."""
    found = encoding_of(sample)
    if stated == "utf-16" and not sample.startswith(_UTF16_MARKS):
        return found or "utf-8"  # without a mark nothing tells the order of its bytes
    if not found or codecs.lookup(found) == codecs.lookup(stated):
        return ""
    if stated == "utf-16":
        return ""
    if found.startswith("utf"):
        return found
    if stated.startswith("utf"):
        return found if _mostly_damaged(sample, stated) else ""
    return found if plausibility(sample, found) > _CLEARLY * plausibility(sample, stated) else ""


def plausibility(sample: bytes, encoding: str) -> float:
    """Return how much the words with other than ASCII letters read like words, about 45 for Russian or Latin text."""
    words = [word for word in _WORD.findall(sample.decode(encoding, "replace")) if not word.isascii()]
    if len(words) < _FEWEST:
        return 0.0
    return sum(_word_plausibility(word) for word in words) / len(words)


def _word_plausibility(word: str) -> float:
    if _CYRILLIC.search(word):
        # In a wrong Cyrillic encoding small letters come out as capitals after small ones, and letters as other signs.
        cased = word.islower() or word.isupper() or word.istitle()
        return sum(_FREQUENCY.get(each, 0) for each in word.lower()) / len(word) * cased
    latin = all(each < "\u0250" and each.isalpha() for each in word) and any(each.isascii() for each in word)
    return _LATIN_WORD if latin else 0.0


def _decodes(sample: bytes) -> bool:
    """Return whether the sample, which may end inside a character, is UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _mostly_damaged(sample: bytes, encoding: str) -> bool:
    """Return whether most lines with other than ASCII characters cannot be read: one odd line is a damaged row."""
    if encoding.startswith("utf-16"):
        return True
    lines = [line for line in sample.split(b"\n") if not line.isascii()]
    return 2 * sum(not _decodes(line) for line in lines) > len(lines)


def first_lines(sample: bytes, encoding: str) -> list[str]:
    """Return the first lines, whole ones where there are several."""
    lines = sample.decode(encoding, "replace").removeprefix("\ufeff").splitlines()
    return list(islice((line for line in lines if line), SAMPLE_LINES))


def split(line: str, separator: str, quote: str) -> list[str]:
    """Split a line into cells; a line that cannot be split is one cell."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, quotechar=quote, strict=True))]
    except (csv.Error, StopIteration):
        return [line]


def separator_of(lines: list[str], quote: str) -> str:
    """Return the separator with which most lines have as many cells as the first; empty if none makes two cells."""

    def fitting(separator: str) -> tuple[int, int]:
        width = len(split(lines[0], separator, quote))
        return (sum(len(split(line, separator, quote)) == width for line in lines) if width > 1 else 0, width)

    best = max(SEPARATORS, key=fitting) if lines else ""
    return best if best and fitting(best)[0] else ""


def wrong_separator(lines: list[str], stated: str, quote: str, wanted: Collection[str]) -> str:
    """Return the separator that the header has instead of the stated one; empty where the stated one may be right."""
    if not lines:
        return ""

    def named(separator: str) -> int:
        return len({*split(lines[0], separator, quote)} & {*wanted})

    best = max(SEPARATORS, key=named)
    if named(best) > named(stated):
        return best
    if not named(stated) and len(split(lines[0], stated, quote)) == 1:
        return separator_of(lines, quote)
    return ""
