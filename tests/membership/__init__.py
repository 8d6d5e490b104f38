"""A federation's members over the years, told by the commands themselves and real nodes, `make membership`."""
