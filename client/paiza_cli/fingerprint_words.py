"""Fingerprints as words, to be compared by telephone: the same fingerprint in Russian and in English.

Each byte is a word, and the words of one byte in the two languages are translations of each other. So two people who
share only one of the languages, or none but an interpreter, compare the same fingerprint.
"""

from types import MappingProxyType
from typing import Final

from paiza_cli.language import LANGUAGES, Language

WORDS: Final = 12
"""Words of a fingerprint, a byte each: finding other keys with the same words takes 2^96 attempts."""

ENROLMENT_WORDS: Final = 6
"""Words of an officer's new keys. Who wants others with the same words has a day, and must know them beforehand."""

_PAIRS: Final = """\
абрикос apricot, автобус bus, адрес address, айва quince, аист stork, алмаз diamond, антенна antenna,
апельсин orange, аптека pharmacy, арбуз watermelon, архив archive, атлас atlas, балкон balcony, барабан drum,
барс leopard, бархат velvet, башня tower, белка squirrel, берег shore, берёза birch, библиотека library,
билет ticket, блокнот notebook, бочка barrel, брат brother, буква letter, бумага paper, буря storm,
бутылка bottle, ваза vase, варежка mitten, ведро bucket, велосипед bicycle, верблюд camel, верёвка rope,
весло oar, весна spring, ветер wind, вечер evening, вилка fork, виноград grapes, вишня cherry, вода water,
вокзал station, волк wolf, волна wave, ворона crow, ворота gate, восток east, вулкан volcano, галстук necktie,
гараж garage, гвоздь nail, герб emblem, гитара guitar, глина clay, гнездо nest, голубь pigeon, гора mountain,
город city, горох peas, гранат pomegranate, гриб mushroom, гроза thunder, груша pear, гусь goose, дверь door,
дворец palace, дедушка grandfather, дельфин dolphin, дерево tree, деревня village, дождь rain, долина valley,
дорога road, доска board, дракон dragon, дуб oak, дыня melon, ёж hedgehog, ёлка spruce, жасмин jasmine,
железо iron, жемчуг pearl, жираф giraffe, жук beetle, журавль crane, забор fence, завод factory, закат sunset,
замок castle, запад west, заяц hare, звезда star, зебра zebra, зеркало mirror, зерно grain, зима winter,
змея snake, золото gold, зонт umbrella, игла needle, изумруд emerald, инжир fig, камень stone, канал canal,
капля drop, капуста cabbage, карандаш pencil, карта map, картина painting, катер boat, каша porridge, кедр cedar,
кирпич brick, кит whale, клён maple, ключ key, книга book, ковёр carpet, коза goat, колесо wheel, колодец well,
колокол bell, компас compass, конверт envelope, корабль ship, корень root, корзина basket, корона crown,
костёр bonfire, кот cat, кофе coffee, краска paint, кресло armchair, крыло wing, крыша roof, кувшин jug,
кукла doll, лампа lamp, лебедь swan, лёд ice, лес forest, лестница ladder, лимон lemon, линейка ruler, лиса fox,
лист leaf, лодка canoe, ложка spoon, лопата shovel, лошадь horse, луна moon, малина raspberry, масло butter,
маяк lighthouse, мёд honey, медведь bear, мельница mill, мешок sack, микрофон microphone, молоко milk,
молоток hammer, монета coin, море sea, морковь carrot, мост bridge, мрамор marble, музей museum, павлин peacock,
муравей ant, мыло soap, мяч ball, небо sky, ножницы scissors, обезьяна monkey, облако cloud, овёс oats,
овца sheep, огурец cucumber, окно window, олень deer, орёл eagle, орех walnut, оркестр orchestra, осень autumn,
остров island, палатка tent, пальма palm, якорь anchor, паук spider, перец pepper, песок sand, печать seal,
пила saw, поезд train, поле field, почта post, пруд pond, пчела bee, пшеница wheat, радуга rainbow,
ракета rocket, река river, рис rice, роза rose, рубашка shirt, рыба fish, сад garden, сахар sugar, свеча candle,
север north, серебро silver, скала cliff, скрипка violin, слива plum, слон elephant, снег snow, сокол falcon,
солнце sun, соль salt, сосна pine, степь steppe, стол table, страус ostrich, театр theatre, тигр tiger,
топор axe, трава grass, трактор tractor, туман fog, тыква pumpkin, улитка snail, урок lesson, утка duck,
утро morning, учитель teacher, фонарь lantern, халва halva, хлеб bread, хлопок cotton, цапля heron,
цветок flower, чайка gull, часы clock, чеснок garlic, шёлк silk, школа school, шоколад chocolate, щит shield,
юг south, юрта yurt, яблоко apple, янтарь amber, ястреб hawk, ящерица lizard
"""

_WORDS: Final = tuple(pair.split() for pair in _PAIRS.replace("\n", " ").split(","))

LISTS: Final = MappingProxyType(
    {"ru": tuple(russian for russian, _ in _WORDS), "en": tuple(english for _, english in _WORDS)}
)
"""The 256 words of each language, in the order of the bytes they stand for."""


def fingerprint_words(digest: bytes, language: Language) -> str:
    """Return the first `WORDS` bytes of a digest as words, in groups of four."""
    words = [LISTS[language][byte] for byte in digest[:WORDS]]
    return " · ".join(" ".join(words[at : at + 4]) for at in range(0, WORDS, 4))


def enrolment_words(digest: bytes, language: Language) -> str:
    """Return the first `ENROLMENT_WORDS` bytes of a digest as words; `are_enrolment_words` compares them."""
    return " ".join(LISTS[language][byte] for byte in digest[:ENROLMENT_WORDS])


def are_enrolment_words(text: str, digest: bytes) -> bool:
    """Return whether a person typed the words of this digest, in either language; ё may be typed as е."""
    said = _folded(text.replace("·", " ").replace(",", " "))
    return any(said == _folded(enrolment_words(digest, language)) for language in LANGUAGES)


def _folded(text: str) -> list[str]:
    return text.lower().replace("ё", "е").split()
