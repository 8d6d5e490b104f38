"""Fingerprints as words that two people read to each other."""

import pytest

from paiza_cli.fingerprint_words import (
    ENROLMENT_WORDS,
    LISTS,
    WORDS,
    are_enrolment_words,
    enrolment_words,
    fingerprint_words,
)
from paiza_cli.language import LANGUAGES, Language


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_byte_has_a_word_of_its_own(language: Language) -> None:
    """There are 256 words, and no two are alike."""
    words = sorted(LISTS[language])
    assert len(set(words)) == 256
    assert all(word.isalpha() and word.islower() for word in words)


def test_one_fingerprint_is_the_same_in_both_languages() -> None:
    """A digest is shown by its first bytes in order, in groups of four words."""
    digest = bytes(range(32))
    assert fingerprint_words(digest, "en").split(" · ")[0] == " ".join(LISTS["en"][:4])
    assert fingerprint_words(digest, "ru").split(" · ")[0] == " ".join(LISTS["ru"][:4])
    assert len(fingerprint_words(digest, "ru").replace(" · ", " ").split()) == WORDS
    changed = bytes([*digest[: WORDS - 1], 255])
    assert fingerprint_words(changed, "ru") != fingerprint_words(digest, "ru")


@pytest.mark.parametrize("language", LANGUAGES)
def test_six_words_are_read_back_as_people_type_them(language: Language) -> None:
    """Capitals, commas, double blanks, and a keyboard without ё."""
    digest = bytes([LISTS["ru"].index("ёж"), LISTS["ru"].index("берёза"), *range(30)])
    words = enrolment_words(digest, language)
    assert len(words.split()) == ENROLMENT_WORDS
    for typed in (words, words.upper(), words.replace(" ", ",  "), words.replace("ё", "е"), f" {words}\n"):
        assert are_enrolment_words(typed, digest)
    assert not are_enrolment_words(words, bytes([*digest[:5], digest[5] ^ 1, *digest[6:]]))
    assert not are_enrolment_words(" ".join(words.split()[:5]), digest)
    assert not are_enrolment_words("", digest)


def test_no_two_words_differ_only_in_yo() -> None:
    """Typing е for ё names no other word."""
    assert len({word.replace("ё", "е") for word in LISTS["ru"]}) == 256
