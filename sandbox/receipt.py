"""The receipt of a release: what was computed, from what, under which contract, by which software. Canonical JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import rfc8785

from contracts.policy.terms import Terms
from sandbox.software import software
from sandbox.spec import RunSpec


def receipt(
    *, release_uid: str, run_uid: str, spec: RunSpec, query: dict[str, Any], sql_digest: str,
    answer: str, lane: str, charge: int, terms: Terms, result_digest: str, released_us: int, audit_head: str,
    checkpoint: dict[str, str | int],
) -> bytes:  # fmt: skip
    """RFC 8785 bytes. Digests are named (`sha256:`, `sm3:`); `released_us` is microseconds since the epoch, UTC.

    `answer` is the key under which the protected answer of the bare question is kept; `charge` is what it cost when
    it was asked first, in micro-rho. `audit_head` is the log's head shortly before: whoever holds the receipt can
    demand a log that contains it. `checkpoint` is the newest published one at that moment, root and size.
    """
    return rfc8785.dumps(
        {
            "type": "dataspace.receipt",
            "version": 1,
            "release": release_uid,
            "run": run_uid,
            "released": released_us,
            "contract": spec.contract,
            "query": {"digest": spec.query, "canonical": query, "sql": sql_digest},
            "extracts": [
                {
                    "dataset": e.dataset_uid,
                    "version": e.number,
                    "sha256": f"sha256:{e.sha256}",
                    "sm3": f"sm3:{e.sm3}",
                    **({"script": e.script} if e.script else {}),
                }
                for e in spec.extracts
            ],
            "answer": answer,
            "lane": lane,
            "charge": charge,
            "parameters": asdict(terms.disclosure),
            **({} if terms.privacy is None else {"privacy": asdict(terms.privacy)}),
            "software": software(),
            "result": result_digest,
            "audit_head": audit_head,
            "checkpoint": checkpoint,
        }
    )
