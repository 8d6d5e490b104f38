"""Why words of the map `ids` have no code, as the map says it: marked here for translation, for a map is no Python."""

from typing import Final

from paiza_client.language import N_

REASONS_OF_IDS: Final = (
    N_("a cargo, not a kind of place"),
    N_("a cough medicine with dissociative effect: in no group of the list with certainty"),
    N_("a crossing point or the border between them is not said"),
    N_("a place, not a way of hiding"),
    N_("a railway or a place below ground is not said"),
    N_("a road post or a stretch of road is not said"),
    N_("a settlement, not a kind of place"),
    N_("a stimulant that is no amphetamine: in no group of the list with certainty"),
    N_("an antidepressant with opioid effect: in no group of the list with certainty"),
    N_("an antidote with aprofene: controlled as psychotropic in one state, in no group of the list"),
    N_("at sea, on a river or in port is not said"),
    N_("at the border or inland is not said"),
    N_("dissolved, within or disguised as is not said"),
    N_("hand or checked baggage is not said"),
    N_("in its structure, in a cavity or merely inside is not said"),
    N_("into the body or into a thing is not said"),
    N_("mixed with the cargo or within the goods is not said"),
    N_("no such kind of place in the list"),
    N_("on a road or at the border is not said"),
    N_("on or inside the body is not said"),
    N_("on the body, in the hand or as baggage is not said"),
    N_("states that the country is not known"),
    N_("street, field or border is not said"),
    N_("the drug is not named"),
    N_("the kind of building is not said"),
    N_("the kind of property is not said"),
    N_("the transport is not named"),
    N_("within, mixed in or disguised as is not said"),
)
