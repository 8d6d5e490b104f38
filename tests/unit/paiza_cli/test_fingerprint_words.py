"""Fingerprints as words that two people read to each other."""

import pytest

from paiza_cli.fingerprint_words import LISTS, WORDS, fingerprint_words
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
