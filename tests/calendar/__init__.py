"""A federation's year and more: three real nodes under a clock that is moved, `make calendar`."""
