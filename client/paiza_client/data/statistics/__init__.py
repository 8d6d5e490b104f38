"""Statistics of seizure notices that disclose no small number: `count_seizures` computes them.

`count` chooses and opens the notices at the own node, `observations` takes what is counted out of them, `tabulation`
counts it by one or two dimensions, `suppression` hides small cells and whatever would give them away. Only `count`
needs the network.
"""

from paiza_client.data.statistics.count import REASON, Statistics, count_seizures
from paiza_client.data.statistics.observations import DIMENSIONS, Period
from paiza_client.data.statistics.tabulation import HIDDEN, Figure, Measure, Tabulation

__all__ = [
    "DIMENSIONS",
    "HIDDEN",
    "REASON",
    "Figure",
    "Measure",
    "Period",
    "Statistics",
    "Tabulation",
    "count_seizures",
]
