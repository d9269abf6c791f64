"""Verifying SM2 signatures over SM3 (GB/T 32918.2-2016, GB/T 32905-2016) on the curve of GB/T 32918.5-2017.

Verification only: all numbers here are public, so nothing depends on how long a step takes. Written out because the
verifier needs no package but `cryptography`, which has SM3 and no SM2.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

# The curve y² = x³ + ax + b over the prime field P; G generates its N points.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
SIGNER_ID = b"1234567812345678"  # the identity GM/T 0009 names where no other is agreed

Point = tuple[int, int, int]  # Jacobian; z = 0 is the point at infinity


def sm3(data: bytes) -> bytes:
    """32 bytes."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """`public` is x ‖ y, `signature` r ‖ s, each number 32 bytes, big-endian."""
    if len(public) != 64 or len(signature) != 64:
        return False
    x, y = _number(public[:32]), _number(public[32:])
    r, s = _number(signature[:32]), _number(signature[32:])
    if not (x < P and y < P and (y * y - x * x * x - A * x - B) % P == 0 and 0 < r < N and 0 < s < N):
        return False
    t = (r + s) % N
    if t == 0:
        return False
    point = _add(_times(s, (GX, GY, 1)), _times(t, (x, y, 1)))
    if point[2] == 0:
        return False
    return (_digest(public, message) + point[0] * pow(point[2], -2, P) % P) % N == r


def _digest(public: bytes, message: bytes) -> int:
    """SM3 over the message, bound to the signer's identity and key (GB/T 32918.2, 5.5 and 6.1)."""
    curve = b"".join(number.to_bytes(32, "big") for number in (A, B, GX, GY))
    identity = sm3(len(SIGNER_ID * 8).to_bytes(2, "big") + SIGNER_ID + curve + public)
    return _number(sm3(identity + message))


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _times(factor: int, point: Point) -> Point:
    result: Point = (0, 1, 0)
    for bit in f"{factor:b}":
        result = _double(result)
        if bit == "1":
            result = _add(result, point)
    return result


def _double(p: Point) -> Point:
    """Twice a point where A is -3: dbl-2001-b of the Explicit-Formulas Database."""
    x, y, z = p
    if z == 0 or y == 0:
        return (0, 1, 0)
    delta, gamma = z * z % P, y * y % P
    beta, alpha = x * gamma % P, 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return (x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, ((y + z) ** 2 - gamma - delta) % P)


def _add(p: Point, q: Point) -> Point:
    """add-2007-bl, complete by hand for equal, opposite and infinite points."""
    if p[2] == 0 or q[2] == 0:
        return q if p[2] == 0 else p
    z1z1, z2z2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * z2z2 % P, q[0] * z1z1 % P
    s1, s2 = p[1] * q[2] * z2z2 % P, q[1] * p[2] * z1z1 % P
    if u1 == u2:
        return _double(p) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return (x3, (r * (v - x3) - s1 * hhh) % P, p[2] * q[2] * h % P)
