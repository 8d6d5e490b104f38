"""Opened messages as tables and pages for others. No network, no node: what comes in was opened, and logged, before.

`records` holds what was opened, `unodc`, `customs` and `precursors` make rows of it, `tables` says what a table is and
keeps formulas out of it, `writing` writes it as CSV, XLSX or JSON, `printing` writes messages as pages to be printed.
Every table and page carries the strictest mark of all it was made of (`marks`).
"""
