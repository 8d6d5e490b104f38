"""The mark of an exercise, in words: it stands before the kind of a message wherever that is shown."""

from typing import Final

from paiza_domain.i18n import N_, translate

_MARK: Final = N_("EXERCISE")
_MARKED: Final = N_("EXERCISE: {title}")


def mark(lang: str) -> str:
    """Return the mark of an exercise."""
    return translate(_MARK, lang)


def marked(title: str, lang: str, *, exercise: bool) -> str:
    """Return the title of a message's kind, with the mark before it if the message is an exercise."""
    return translate(_MARKED, lang).format(title=title) if exercise else title
