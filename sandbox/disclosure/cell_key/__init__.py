"""The cell key method: a small change of every published number that depends on who contributes. Pure.

Each record has a secret key from 0 to 255; a cell's key is the sum of its records' keys modulo 256, and a stored table
says which change a cell of that count and that key gets. The same contributors always get the same answer, whatever
the question was called or how often it is asked; a set with one record more or less gets an independent change.

No formal guarantee. What stays possible, for whoever asks enough:
* Different overlapping sets have independent changes, so differences of unions, (X and B) less B, are so many
  independent estimates of X. Each misses by sqrt(2) standard deviations, the mean of m of them by sqrt(2 / m): a
  dimension of 10 values has 511 such unions, enough to work out an exact count. Only the number of questions that the
  contract permits stands against it.
  Source: Asghar and Kaafar, Averaging attacks on bounded noise-based disclosure control algorithms (PoPETs 2020).
* Equal sets have equal answers, different ones rarely (see `tables.COLLISION`), so that two answers tell whether two
  sets are the same: whether someone who is known to be the only difference is in a cell. How many differ, or what
  they contribute, stays uncertain.
* Totals do not add up, and what a sum of cells misses of its total has a known distribution.
* The tables are public and only the keys are secret: whoever knows a true count knows its change, and so a few
  possible keys of that cell's rows. Sums have other keys (see `engines.cell_keys`).
* Rows counted by themselves, as joined rows, and by their units are three sets of keys: three answers to one question
  where each unit has one row in each dataset.

Source: Fraser and Wooton, A proposed method for confidentialising tabular output to protect against differencing
(UNECE 2005); Marley and Leaver (ISI 2011); the table's form and its reuse for large counts: Office for National
Statistics, package cell-key-perturbation; magnitudes: Thompson, Broadfoot and Elazar (UNECE 2013) and the R package
cellKey.
"""
