"""A national kind as its own distribution, unknown to the packages: wolves seen at the border."""

from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_kind_wolf_note.wolf_note_pb2 import WolfNote  # type: ignore[import-not-found] # not on the type checker's path

MAX_WOLVES: Final = 100  # a pack is smaller


def _summary(content: WolfNote, lang: str) -> str:
    return translate(N_("{number} wolves seen"), lang).format(number=content.wolves)


KIND: Final = Kind(
    name="wolf-note",
    version=1,
    title=N_("Note of wolves"),
    shape=Shape(
        WolfNote,
        (
            Field("country", N_("Country"), FieldType.CODE, required=True, codes="country"),
            Field("wolves", N_("Wolves"), FieldType.INTEGER, required=True, least=1, greatest=MAX_WOLVES),
        ),
    ),
    summarise=_summary,
    sender_roles=frozenset({"liaison", "duty"}),
)
TEXTS: Final = {
    "ru": {
        "Note of wolves": "Сообщение о волках",
        "Wolves": "Волки",
        "{number} wolves seen": "Замечено волков: {number}",
    }
}
