"""The normalisation of identifiers and names: Cyrillic or Latin, with or without spaces.

A folded text is for comparison and search, never for display. Names fold coarsely on purpose (Хусейн, Khuseyn and
Hussein are equal): a match is only a hint.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

# Letters that look alike; number plates are made of those that both alphabets have.
LOOKALIKES: Final = str.maketrans("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS")

# Cyrillic of the region's languages: Russian, Kazakh, Kyrgyz, Tajik, Uzbek, Azerbaijani, Turkmen, Ukrainian.
_LETTERS: Final = MappingProxyType({
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ё": "E", "Ж": "ZH", "З": "Z", "И": "I", "Й": "I",
    "К": "K", "Л": "L", "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F",
    "Х": "KH", "Ц": "TS", "Ч": "CH", "Ш": "SH", "Щ": "SH", "Ъ": "", "Ы": "I", "Ь": "", "Э": "E", "Ю": "YU",
    "Я": "YA", "І": "I", "Ї": "I", "Є": "E", "Ґ": "G", "Ә": "A", "Ғ": "GH", "Қ": "Q", "Ң": "NG", "Ө": "O", "Ұ": "U",
    "Ү": "U", "Һ": "H", "Ӣ": "I", "Ӯ": "U", "Ҳ": "KH", "Ҷ": "J", "Ў": "O", "Җ": "J", "Ҹ": "J", "Ҝ": "G", "Ј": "Y",
})  # fmt: skip
# Latin letters that no decomposition brings to a base letter.
_LATIN: Final = MappingProxyType({
    "Ə": "A", "Æ": "AE", "Ø": "O", "ẞ": "SS", "ß": "SS", "Đ": "D", "Ł": "L", "Ş": "SH", "Ș": "SH", "Ç": "CH", "Ğ": "GH",
    "Š": "SH", "Č": "CH", "Ž": "ZH", "Ň": "NG", "İ": "I", "ʻ": "", "ʼ": "", "’": "", "‘": "", "'": "", "`": "",
})  # fmt: skip
_TRANSLATION: Final = str.maketrans({**_LETTERS, **_LATIN})
_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Z0-9]+")
_NOT_DIGIT: Final = re.compile(r"\D+", re.ASCII)

# Spellings of one sound in the transliterations in use, mapped to one letter; the first match counts.
_SPELLINGS: Final = (
    ("SHCH|SCH|SH", "W"),  # no sound is left as W or X, so these stand for what Latin has no letter for
    ("TCH|CH", "X"),
    ("DZH|ZH|DJ|J", "J"),
    ("TS|TZ|Z", "Z"),
    ("C(?=[EIY])|SS|S", "S"),
    ("KH|X|H", "H"),
    ("GH|G", "G"),
    ("Q|K|C", "K"),
    ("PH|F", "F"),
    ("V|W", "V"),
    ("YA|IA|A", "A"),
    ("YU|IU|YO|IO|O|U", "U"),
    ("YE|IE|E|Y|I", "I"),
)
_SOUND: Final = re.compile("|".join(f"({spellings})" for spellings, _ in _SPELLINGS))
_REPEATED: Final = re.compile(r"(.)\1+")
_ENDINGS: Final = re.compile(r"(?<=..)I+$")  # Юрий, Yuri, Yuriy
_RUSSIAN_TRUNK: Final = re.compile(r"8(?=\d{10}$)")  # 8 701 … is +7 701 … in Kazakhstan and Russia

RULES_VERSION: Final = 2  # incremented when folding or extraction changes: indexes are then rebuilt
MAX_FOLDED: Final = 200  # characters; a longer text is not an identifier


def latin(text: str) -> str:
    """Return a text in Latin capitals A-Z, digits and single spaces; every other character becomes a space."""
    translated = unicodedata.normalize("NFC", text).upper().translate(_TRANSLATION)
    plain = unicodedata.normalize("NFKD", translated).upper().translate(_TRANSLATION)
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    return _NOT_ALPHANUMERIC.sub(" ", bare).strip()


def identifier(text: str) -> str:
    """Fold plates, documents, containers, VINs: letters by their shape, no spaces, dashes or dots."""
    return latin(text.upper().translate(LOOKALIKES)).replace(" ", "")


def telephone(text: str) -> str:
    """Fold a telephone number to its digits with the country code; 00 and the Russian trunk prefix 8 are undone."""
    digits = _NOT_DIGIT.sub("", text)
    return _RUSSIAN_TRUNK.sub("7", digits.removeprefix("00"))


def word(text: str) -> str:
    """Fold one word of a name to its approximate sound."""
    folded = _SOUND.sub(lambda found: _SPELLINGS[(found.lastindex or 1) - 1][1], latin(text).replace(" ", ""))
    return _ENDINGS.sub("", _REPEATED.sub(r"\1", folded))


def name(text: str) -> str:
    """Fold a name of several words, in any order, each to its sound."""
    return " ".join(sorted(filter(None, (word(each) for each in latin(text).split()))))


def plain(text: str) -> str:
    """Fold a code or another name: Latin capitals and digits, single spaces."""
    return latin(text)


FOLDS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType({
    "plate": identifier,
    "vin": identifier,
    "container": identifier,
    "vessel": identifier,
    "flight": identifier,
    "waybill": identifier,
    "carnet": identifier,
    "seal": identifier,
    "document": identifier,
    "personal-number": identifier,
    "account": identifier,
    "registration": identifier,
    "reference": identifier,
    "logo": plain,
    "phone": telephone,
    "imei": telephone,
    "person": name,
    "company": name,
    "name": name,
    "place": name,
    "subject": name,
    "country": plain,
    "route": plain,
    "substance": plain,
    "drug-group": plain,
})  # fmt: skip
"""The folding function of each field. Other fields are not terms."""


def fold(field: str, text: str) -> str:
    """Fold a text as a term of that field; empty if nothing is left to compare."""
    return FOLDS[field](text[:MAX_FOLDED])
