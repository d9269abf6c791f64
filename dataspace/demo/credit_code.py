"""Unified social credit codes (GB 32100-2015) with correct check characters. Pure.

A code has 18 characters: registration authority (1), kind of body (1), administrative division (6,
GB/T 2260), organization code (8 and its check character, GB 11714-1997), check character (1).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataspace.demo.draws import Ints

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I, O, S, V, Z
WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
ORGANIZATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

# 虚拟 (not real): opens every organization code made here, so that such a code is known at sight
SYNTHETIC_PREFIX = "XN"
_FREE = len(ALPHABET) ** (len(ORGANIZATION_WEIGHTS) - len(SYNTHETIC_PREFIX))
_STRIDE = 271_828_183  # coprime to the 31^6 numbers, so that neighbours look unrelated and none repeats

_CHARACTERS = np.array([ord(c) for c in ALPHABET], dtype=np.uint8)


def validate_gb32100(code: str) -> bool:
    """Whether `code` has the form of a unified social credit code and both its check characters are right."""
    if len(code) != 18 or any(c not in ALPHABET for c in code) or not code[2:8].isdecimal():
        return False
    total = sum(weight * ALPHABET.index(c) for weight, c in zip(WEIGHTS, code[:17], strict=True))
    if ALPHABET[-total % 31] != code[17]:
        return False
    body = sum(weight * int(c, 36) for weight, c in zip(ORGANIZATION_WEIGHTS, code[8:16], strict=True))
    return code[16] == "0123456789X"[-body % 11]


def synthetic_codes(serials: Ints, divisions: tuple[str, ...], division: Ints) -> pa.Array:
    """One valid code per serial number (distinct serials give distinct codes), as an Arrow text column.

    `division[i]` is the index in `divisions` (six digits each) of enterprise i's administrative division.
    """
    digits = np.empty((len(serials), 18), dtype=np.int64)
    digits[:, 0:2] = _values("91")  # market regulation, enterprise
    digits[:, 2:8] = np.stack([_values(d) for d in divisions])[division]
    digits[:, 8:10] = _values(SYNTHETIC_PREFIX)
    left = serials * _STRIDE % _FREE
    for place in range(15, 9, -1):
        digits[:, place] = left % 31
        left = left // 31
    base36 = np.array([int(c, 36) for c in ALPHABET], dtype=np.int64)
    check = -(base36[digits[:, 8:16]] @ np.array(ORGANIZATION_WEIGHTS)) % 11
    digits[:, 16] = np.where(check == 10, ALPHABET.index("X"), check)
    digits[:, 17] = -(digits[:, :17] @ np.array(WEIGHTS)) % 31
    written = np.ascontiguousarray(_CHARACTERS[digits])
    return pa.array(written.view("S18").ravel(), type=pa.binary()).cast(pa.string())


def _values(text: str) -> npt.NDArray[np.int64]:
    return np.array([ALPHABET.index(c) for c in text], dtype=np.int64)
