"""The private lane: noise of differential privacy on bounded statistics, its price and its error. Pure."""

from sandbox.disclosure.private.accounting import charge_of, epsilon_of
from sandbox.disclosure.private.answer import PrivateAnswer, answer
from sandbox.disclosure.private.expected import ExpectedError, expected_error

__all__ = ["ExpectedError", "PrivateAnswer", "answer", "charge_of", "epsilon_of", "expected_error"]
