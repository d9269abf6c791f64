"""P11: trees and proofs as RFC 6962 has them, against vectors and definitions nobody here wrote."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from pymerkle import InmemoryTree

from audit.verifier import tree

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "rfc6962"
KINDS = {"inclusion": 98, "consistency": 98, "subtreeinclusion": 204, "subtreeconsistency": 118}


def _raw(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def _check(kind: str, v: dict) -> None:
    proof = [_raw(text) for text in v["proof"] or []]
    match kind:
        case "inclusion":
            tree.check_inclusion(v["leafIdx"], v["treeSize"], _raw(v["leafHash"]), proof, _raw(v["root"]))
        case "consistency":
            tree.check_consistency(v["size1"], v["size2"], _raw(v["root1"]), _raw(v["root2"]), proof)
        case "subtreeinclusion":
            tree.check_subtree_inclusion(
                v["leafIdx"], v["start"], v["end"], _raw(v["leafHash"]), proof, _raw(v["root"])
            )
        case "subtreeconsistency":
            tree.check_subtree_consistency(
                v["start"], v["end"], v["size"], _raw(v["root1"]), _raw(v["root2"]), proof
            )


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_vectors_pass_and_fail_as_they_say(kind):
    if not VECTORS.is_dir():
        pytest.skip("the public RFC 6962 vectors (../shared/vectors) are not on this machine")
    files = sorted((VECTORS / kind).rglob("*.json"))
    assert len(files) == KINDS[kind]
    for file in files:
        vector = json.loads(file.read_text())
        try:
            _check(kind, vector)
            refused = None
        except tree.InvalidProof as error:
            refused = error
        assert (refused is not None) == vector["wantErr"], (file.relative_to(VECTORS), refused)


# The definitions of RFC 6962 §2.1, word by word, sharing nothing with what is tested.
def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def test_the_root_of_a_stream_is_that_of_the_definition_however_it_is_cut():
    leaves = [hashlib.sha256(b"\x00%d" % n).digest() for n in range(300)]
    one = tree.Frontier()
    for size in range(301):
        assert one.root() == mth(leaves[:size])
        for cut in {0, min(1, size), size // 3, size}:
            two = tree.Frontier()
            two.extend(leaves[:cut])
            again = tree.Frontier(two.size, two.roots)
            again.extend(leaves[cut:size])
            assert again.root() == one.root()
            assert again.roots == one.roots
        one.extend(leaves[size : size + 1])


def test_a_frontier_of_another_size_is_refused():
    with pytest.raises(ValueError, match="subtree roots"):
        tree.Frontier(3, [bytes(32)])


LARGEST = 300


@pytest.fixture(scope="module")
def other() -> InmemoryTree:
    """A tree by other hands. Its leaves count from 1, and its proofs begin with the node they start from."""
    other = InmemoryTree(algorithm="sha256")
    for n in range(LARGEST):
        other.append_entry(b"%d" % n)
    return other


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    return [tree.leaf_hash(b"%d" % n) for n in range(LARGEST)]


def test_every_root_is_that_of_the_tree_by_other_hands(other, leaves):
    mine = tree.Frontier()
    for size in range(1, LARGEST + 1):
        mine.extend(leaves[size - 1 : size])
        assert mine.root() == other.get_root(size)


def test_every_inclusion_proof_by_other_hands_is_accepted_and_no_other(other, leaves):
    roots = [other.get_root(size) for size in range(1, LARGEST + 1)]
    for size in range(1, LARGEST + 1):
        for index in range(size):
            leaf, *proof = other.prove_inclusion(index + 1, size).path
            assert leaf == leaves[index]
            tree.check_inclusion(index, size, leaf, proof, roots[size - 1])
            if index % 17 == size % 17:
                for wrong in (
                    (index, size, leaves[index - 1] if size > 1 else bytes(32), proof, roots[size - 1]),
                    (index, size, leaf, [*proof, bytes(32)], roots[size - 1]),
                    (index, size, leaf, proof, roots[size % LARGEST]),
                    (index, size, leaf, proof[1:], roots[size - 1])
                    if proof
                    else (size, size, leaf, proof, leaf),
                ):
                    with pytest.raises(tree.InvalidProof):
                        tree.check_inclusion(*wrong)


def as_rfc_6962(proof, first: int) -> list[bytes]:
    """Theirs climbs from the leaf after the smaller tree, `subset` marks the nodes of the smaller one.

    Ours begins with the last of its perfect subtrees, left out where that is the whole smaller tree.
    """
    path, at = list(proof.path), 1
    beside = path[0]
    while not proof.subset[at]:
        beside = tree.node_hash(beside, path[at])
        at += 1
    begun = [] if first & (first - 1) == 0 else [path[at]]
    return [*begun, beside, *path[at + 1 :]]


def test_every_consistency_proof_by_other_hands_is_accepted_and_no_other(other):
    roots = [b"", *(other.get_root(size) for size in range(1, LARGEST + 1))]
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            proof = as_rfc_6962(other.prove_consistency(first, second), first) if first < second else []
            tree.check_consistency(first, second, roots[first], roots[second], proof)
            if first % 13 == second % 13 and first < second:
                for wrong in (
                    (first, second, roots[first - 1] or bytes(32), roots[second], proof),
                    (first, second, roots[first], roots[second - 1], proof),
                    (first, second, roots[first], roots[second], proof[:-1]),
                    (first, second, roots[first], roots[second], [*proof, bytes(32)]),
                ):
                    with pytest.raises(tree.InvalidProof):
                        tree.check_consistency(*wrong)
