"""Kept tables: what each contributor adds to each cell, computed once for an extract and read by later questions.

`first_level` computes it, `build` writes it, `store` is the folder. What it holds: `sandbox.engines.layout`.
"""
