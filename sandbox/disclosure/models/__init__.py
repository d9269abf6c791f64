"""Statistics from published tables: quantiles, histograms, correlation, regressions. Pure, numpy only.

They read what was published and nothing else, so they tell nothing that the table does not tell and cost no budget,
whatever its lane. `noise` is everywhere the standard error that was published with each value (0 where a lane
publishes none); errors given back speak of that noise, and say so where they speak of more. For the private lane take
`private.tables.unbiased`, not the shown counts: those are cut at 0.
"""
