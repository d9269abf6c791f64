"""Terms as an ODRL 2.2 Agreement in JSON-LD, and back without loss.

One permission lets the assignee `ds:compute` on the datasets, each an AssetCollection refined to the columns
the contract opens (Information Model 2.2.3). Its constraints hold what is common to all datasets, so that no
term stands in two places and no dataset can be read as free of them; its duties are to `anonymize` every
release and to `delete` it after the retention. Two prohibitions forbid to distribute and to reproduce the raw
records. Numbers are integers, never floats.

`from_odrl` accepts just what `to_odrl` writes (order of keys aside); the rest is refused with its path.
"""

from __future__ import annotations

from typing import Any

from audit.wording import say
from contracts.policy import odrl_reader, odrl_writer
from contracts.policy.cursor import unknown
from contracts.policy.terms import Terms


def to_odrl(terms: Terms, *, uid: str) -> dict[str, Any]:
    """Write the agreement `uid` (an IRI). The document does not contain its own digest.

    Raises Refused `policy.bad_value` where a time is not aware or a joined name is not a name in SQL.
    """
    return odrl_writer.write(terms, uid)


def from_odrl(doc: object) -> Terms:
    """Read an agreement; inverse of `to_odrl`.

    Raises Refused `policy.unknown_term`, `policy.missing_term` or `policy.bad_value`, each with `path` in its
    details. The terms are not checked against each other: see `validate.check_terms`.
    """
    terms, uid = odrl_reader.read(doc)
    path = _first_difference(to_odrl(terms, uid=uid), doc, "$")
    if path is not None:
        raise unknown(path, say("the profile writes this in another order or spelling"))
    return terms


def _first_difference(expected: object, found: object, path: str) -> str | None:
    """Where two JSON documents differ, types included (1 is neither 1.0 nor true); None where equal."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        pairs = [(expected[key], found[key], f"{path}.{key}") for key in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(a, b, f"{path}[{n}]") for n, (a, b) in enumerate(zip(expected, found, strict=True))]
    else:
        return None if type(expected) is type(found) and expected == found else path
    return next((p for a, b, at in pairs if (p := _first_difference(a, b, at)) is not None), None)
