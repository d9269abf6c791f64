"""Measured by hand: `make bench`. Each prints ratios against a peer or the raw engine in the same run."""
