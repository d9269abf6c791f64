"""A witness: it cosigns a log's checkpoints as long as each continues the one before. `python -m audit.witness`.

Run by somebody who is not the log's operator, on a machine of their own. No Django; the standard library,
`cryptography` and `audit.verifier`.
"""
