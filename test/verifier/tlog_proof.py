"""C2SP tlog-proof: a path from a leaf to the root of the checkpoint that comes with it."""

from __future__ import annotations

from typing import List, Tuple

from merkle import root_of_path
from signed_note import Checkpoint, decimal, unbase64
from verdict import Rejected


def read_proof(text: str) -> Tuple[int, List[bytes], str]:
    top, _, note = text.partition("\n\n")
    lines = top.split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1" or not lines:
        raise Rejected("malformed", "not a tlog-proof")
    if lines[0].startswith("extra "):
        unbase64(lines.pop(0)[len("extra ") :])
    if not lines or not lines[0].startswith("index "):
        raise Rejected("malformed", "a tlog-proof has an index")
    index = decimal(lines.pop(0)[len("index ") :])
    return index, [unbase64(line) for line in lines], note


def check_path(leaf: bytes, index: int, under: Checkpoint, path: List[bytes]) -> None:
    if index >= under.size or len(path) > 63 or any(len(hash_) != 32 for hash_ in path):
        raise Rejected("unproven", "the proof cannot be one of this tree")
    if root_of_path(leaf, index, under.size, path) != under.root:
        raise Rejected("unproven", "leaf %d is not in the tree" % index)
