"""Import of seizure records from tables in other layouts: bytes in, planned notices out. No network, no node.

`maps` reads the layout (`map_checks` judges it), `rows` the file, `values` single cells, `mapping` a row; `content`
makes the message, `plan` walks the whole file, `report` counts, `rejects` writes what has to be mended. README.md
describes the format of a map.
"""
