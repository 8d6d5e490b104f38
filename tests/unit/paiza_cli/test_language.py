"""The language of a program, chosen before its commands are built."""

import pytest

from paiza_cli.language import choose


@pytest.mark.parametrize(
    ("arguments", "environ", "profile", "expected"),
    [
        (["--lang", "ru"], {"LANG": "en_GB.UTF-8"}, None, "ru"),
        (["inbox", "--lang=en"], {"LANG": "ru_RU.UTF-8"}, "ru", "en"),
        (["--lang", "ru", "status"], {"LANG": "C"}, None, "ru"),
        ([], {"PAIZA_LANG": "ru", "LANG": "en_GB"}, "en", "ru"),
        ([], {"PAIZA_LANG": "en", "LANG": "ru_RU.UTF-8"}, None, "en"),
        ([], {"LANG": "en_GB"}, "ru", "ru"),
        ([], {"LANG": "ru_KZ.UTF-8"}, None, "ru"),
        ([], {"LC_ALL": "C", "LANG": "ru_RU"}, None, "en"),
        ([], {}, None, "en"),
        (["--lang"], {}, None, "en"),
        (["--lang", "fr"], {"LANG": "ru"}, None, "ru"),
    ],
)
def test_the_language_is_chosen_in_order(
    arguments: list[str], environ: dict[str, str], profile: str | None, expected: str
) -> None:
    """The command line counts most, then PAIZA_LANG, the profile, the system; unknown is English."""
    assert choose(arguments, environ, profile) == expected
