"""The private lane: noise of differential privacy on bounded statistics, its price and its error. Pure.

`answer.answer` publishes, `accounting.charge_of` names the price and `expected.expected_error` the error. Only `noise`
loads the library that draws, so pages that show prices and errors do without it.
"""
