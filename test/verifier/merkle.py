"""RFC 6962 section 2.1, level by level over all leaf hashes, and C2SP tlog-tiles' paths and bundles."""

from __future__ import annotations

import hashlib
import re
from typing import Iterator, List, Tuple

from verdict import Rejected

WIDTH = 256


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Every complete subtree: levels[k][i] covers the leaves i * 2^k to (i + 1) * 2^k."""

    def __init__(self, leaf_hashes: List[bytes]) -> None:
        self.size = len(leaf_hashes)
        self.levels = [leaf_hashes]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            pairs = range(0, len(below) - 1, 2)
            self.levels.append([node_hash(below[i], below[i + 1]) for i in pairs])

    def root(self, size: int) -> bytes:
        """The root when the tree had this many leaves, at most as many as it has now."""
        if size == 0:
            return hashlib.sha256(b"").digest()
        found = None
        for level in range(size.bit_length()):
            if size >> level & 1:
                peak = self.levels[level][(size >> level) - 1]
                found = peak if found is None else node_hash(peak, found)
        assert found is not None
        return found


def root_of_path(leaf: bytes, index: int, size: int, path: List[bytes]) -> bytes:
    """PATH of RFC 6962 section 2.1.1 read from its definition: the last element is the sibling at the top."""
    if size == 1:
        if path:
            raise Rejected("unproven", "the path is too long")
        return leaf
    if not path:
        raise Rejected("unproven", "the path is too short")
    split = 1 << ((size - 1).bit_length() - 1)
    if index < split:
        return node_hash(root_of_path(leaf, index, split, path[:-1]), path[-1])
    return node_hash(path[-1], root_of_path(leaf, index - split, size - split, path[:-1]))


def tile_name(index: int, width: int) -> str:
    """<N>[.p/<W>]"""
    digits = "%d" % index
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = re.findall("...", digits)
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return name if width == WIDTH else "%s.p/%d" % (name, width)


def tiles_of(size: int) -> Iterator[Tuple[str, int, int, int]]:
    """All hash tiles of a tree, each with its path, level, index and width. One by one: any size can be signed."""
    level = 0
    while size >> (8 * level) > 0:
        hashes = size >> (8 * level)
        for index in range(-(-hashes // WIDTH)):
            width = min(WIDTH, hashes - index * WIDTH)
            yield "tile/%d/%s" % (level, tile_name(index, width)), level, index, width
        level += 1


def entries_of(bundle: bytes) -> List[bytes]:
    entries, at = [], 0
    while at < len(bundle):
        # An empty entry is two bytes: a bundle may hold millions of them.
        if len(entries) == WIDTH:
            raise Rejected("truncated", "an entry bundle holds more than %d entries" % WIDTH)
        length = int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 + length > len(bundle) or at + 2 > len(bundle):
            raise Rejected("truncated", "an entry bundle is cut off")
        entries.append(bundle[at + 2 : at + 2 + length])
        at += 2 + length
    return entries
