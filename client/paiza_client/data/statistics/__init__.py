"""Statistics of seizure notices in which no small number can be read or worked out. No network, no node.

`observations` takes what is counted out of the notices, `tabulation` counts it by one or two dimensions, `suppression`
hides small cells and whatever would give them away.
"""
