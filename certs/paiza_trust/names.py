"""Names of the members in view, for registers made with `paiza-trust dev`. A real member names itself."""

from collections.abc import Mapping
from typing import Final

KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "aze": ("Азербайджан", "Azerbaijan"),
    "kaz": ("Казахстан", "Kazakhstan"),
    "kgz": ("Кыргызстан", "Kyrgyzstan"),
    "rus": ("Россия", "Russia"),
    "tjk": ("Таджикистан", "Tajikistan"),
    "tkm": ("Туркменистан", "Turkmenistan"),
    "uzb": ("Узбекистан", "Uzbekistan"),
    "centre": ("Региональный центр", "Regional centre"),
}


def names_of(member: str) -> dict[str, str]:
    """Return a member's names; one that is not in view is called by its id in capitals."""
    russian, english = KNOWN.get(member, (member.upper(), member.upper()))
    return {"ru": f"{russian} (учебный узел)", "en": f"{english} (exercise node)"}
