#!/usr/bin/env -S python3 -B
"""A second verifier of an export, written from RFC 6962, RFC 8032 and the C2SP specifications alone.

It shares no code with the product and needs nothing but Python 3.9. It says that what lies in the directory is what
the holder of the key signed; it does not recompute the books, nor check time stamps.

usage: verify_log.py DIRECTORY VERIFIER_KEY [--policy FILE] [--receipt FILE]...
Prints "accepted: ..." and exits with 0, or "rejected: <word>: ..." with a code for each word (verdict.py).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import stat
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

from cited import FILE as CITED_FILE
from cited import Cited
from merkle import WIDTH, Tree, entries_of, leaf_hash, tile_name, tiles_of
from signed_note import Checkpoint, Key, Policy, decimal, open_checkpoint, parse_vkey, unbase64
from strict_json import list_of, parse_json, text_of
from tlog_proof import check_path, read_proof
from verdict import Rejected


# Whoever hands an export over may put a device or an endless file in it.
MAX_FILE_BYTES = 1 << 27
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)"


def read_plain(path: str, name: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Rejected("missing", "%s is no plain file" % name)
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        raise Rejected("missing", "there is no %s" % name) from None
    if len(content) > MAX_FILE_BYTES:
        raise Rejected("truncated", "%s is over %d bytes" % (name, MAX_FILE_BYTES))
    return content


def lines_of(content: bytes) -> Iterator[bytes]:
    """One after the other: there may be millions of them, and the first is refused."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        yield content[start:end]
        start = end + 1


class Export:
    def __init__(self, directory: str, log: Key, policy: Optional[Policy]) -> None:
        self.directory = directory
        self.log = log
        self.policy = policy
        self.checkpoint = self.open(self.read("checkpoint"))
        self.tiles: Dict[str, Tuple[int, int, int]] = {}
        self.cited = Cited()
        self.proved_under: Optional[Tuple[str, Checkpoint]] = None
        self.tree = self.rebuild()

    def read(self, path: str) -> bytes:
        return read_plain(os.path.join(self.directory, *path.split("/")), path)

    def read_partial(self, path: str) -> Tuple[bytes, bool]:
        """A log that has grown may have put a full file in the place of a partial one (tlog-tiles): it begins with the same."""
        full = path.split(".p/")[0]
        if path != full and not self.has(path) and self.has(full):
            return self.read(full), True
        return self.read(path), False

    def has(self, path: str) -> bool:
        return os.path.isfile(os.path.join(self.directory, *path.split("/")))

    def open(self, note: bytes) -> Checkpoint:
        witnesses = list(self.policy.witnesses.values()) if self.policy else []
        checkpoint, cosigners = open_checkpoint(note, self.log, witnesses)
        if self.policy:
            self.policy.require(cosigners)
        return checkpoint

    def rebuild(self) -> Tree:
        """All tiles agree with each other and with the signed root."""
        kept: Dict[Tuple[int, int], bytes] = {}
        for path, level, index, width in tiles_of(self.checkpoint.size):
            self.tiles[path] = (level, index, width)
            tile, grown = self.read_partial(path)
            kept[level, index] = tile = tile[: 32 * width] if grown else tile
            if len(tile) != 32 * width:
                raise Rejected("truncated", "%s does not hold %d hashes" % (path, width))
        bottom = b"".join(tile for (level, _), tile in sorted(kept.items()) if level == 0)
        tree = Tree([bottom[at : at + 32] for at in range(0, len(bottom), 32)])
        for path, (level, index, width) in self.tiles.items():
            hashes = tree.levels[8 * level][index * WIDTH : index * WIDTH + width]
            if kept[level, index] != b"".join(hashes):
                raise Rejected("altered", "%s is not made of the tiles below it" % path)
        if tree.root(tree.size) != self.checkpoint.root:
            raise Rejected("root", "the tiles do not lead to the root that the log signed")
        return tree

    def check_entries(self, first: int, end: int) -> int:
        """Bundles that cover the range must be there; every bundle that is there must be right."""
        checked = 0
        for level, index, width in self.tiles.values():
            path = "tile/entries/" + tile_name(index, width)
            start = index * WIDTH
            if level > 0 or not (self.has(path) or (start < end and start + width > first)):
                continue
            bundle, grown = self.read_partial(path)
            hashes = [leaf_hash(entry) for entry in entries_of(bundle)]
            if grown:
                hashes = hashes[:width]
            expected = self.tree.levels[0][start : start + width]
            if hashes != expected:
                self.refuse_bundle(path, hashes, expected)
            checked += width
            for at, entry in enumerate(entries_of(bundle)[:width] if first > 0 else []):
                if first <= start + at < end:
                    self.cited.take(entry)
        return checked

    def check_cited(self, first: int) -> int:
        """What the range cites of before it. A log's own folder has no such file, nor has an export from the first leaf."""
        if not self.has("manifest.json"):
            return 0
        claimed = parse_json(self.read("manifest.json")).get("cited")
        if claimed is not None and first == 0:
            raise Rejected("inconsistent", "the manifest has records from before the first")
        file = self.read(CITED_FILE) if self.has(CITED_FILE) else None
        return self.cited.check(claimed, file, lines_of(file or b""), first, self.prove_cited)

    def prove_cited(self, leaf: int, entry: bytes, proof: str) -> None:
        index, path, note = read_proof(proof)
        # All are under one note: it is opened once.
        if self.proved_under is None or self.proved_under[0] != note:
            self.proved_under = (note, self.open(note.encode()))
        under = self.proved_under[1]
        if index != leaf or (under.size, under.root) != (self.checkpoint.size, self.checkpoint.root):
            raise Rejected("unproven", "the proof of leaf %d is of another leaf or checkpoint" % leaf)
        check_path(leaf_hash(entry), leaf, under, path)

    @staticmethod
    def refuse_bundle(path: str, hashes: List[bytes], expected: List[bytes]) -> None:
        if len(hashes) != len(expected):
            text = "%s holds %d entries instead of %d" % (path, len(hashes), len(expected))
            raise Rejected("truncated", text)
        if sorted(hashes) == sorted(expected):
            raise Rejected("reordered", "%s holds the right entries in another order" % path)
        wrong = [at for at, pair in enumerate(zip(hashes, expected)) if pair[0] != pair[1]]
        raise Rejected("altered", "%s: entry %d is not the one that was logged" % (path, wrong[0]))

    def check_files(self, first: int, end: int) -> None:
        """An export is a closed set: this tree and its range. A log's own folder may hold older and later files."""
        if not self.has("manifest.json"):
            return
        allowed = {(level, index): width for level, index, width in self.tiles.values()}
        base = os.path.join(self.directory, "tile")
        for folder, _, names in os.walk(base):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self.directory).replace(os.sep, "/")
                if path in self.tiles or self.is_bundle(path, allowed, first, end):
                    continue
                raise Rejected("unexpected", "%s does not belong to this tree" % path)

    @staticmethod
    def is_bundle(path: str, allowed: Dict[Tuple[int, int], int], first: int, end: int) -> bool:
        digits = path[len("tile/entries/") :].split(".p/")[0].replace("/", "").replace("x", "")
        if not path.startswith("tile/entries/") or not (digits.isascii() and digits.isdigit()):
            return False
        index = int(digits)
        width = allowed.get((0, index))
        if width is None or not (index * WIDTH < end and index * WIDTH + width > first):
            return False
        return path == "tile/entries/" + tile_name(index, width)

    def check_history(self) -> int:
        """Every earlier checkpoint that is handed over is a beginning of this tree."""
        if not self.has("checkpoints.jsonl"):
            return 0
        count = 0
        for line in lines_of(self.read("checkpoints.jsonl")):
            row = parse_json(line)
            checkpoint, _ = open_checkpoint(text_of(row, "note").encode(), self.log, [])
            if checkpoint.size != decimal(row.get("size")):
                raise Rejected("inconsistent", "checkpoints.jsonl names a size that the note does not")
            if not self.compare(checkpoint, "an earlier checkpoint"):
                raise Rejected("inconsistent", "the log signed a larger tree than this one")
            count += 1
        return count

    def compare(self, other: Checkpoint, what: str) -> bool:
        """False where this tree is too small to tell."""
        if other.size > self.tree.size:
            return False
        if self.tree.root(other.size) != other.root:
            text = "%s of size %d and this tree are two histories" % (what, other.size)
            raise Rejected("equivocation", text)
        return True

    def check_manifest(self) -> Tuple[int, int]:
        """The range that the export claims; without a manifest it must be whole."""
        if not self.has("manifest.json"):
            return 0, self.tree.size
        manifest = parse_json(self.read("manifest.json"))
        self.check_words(manifest)
        key = parse_vkey(text_of(manifest, "verifierKey"))
        first, end = decimal(manifest.get("firstLeaf")), decimal(manifest.get("endLeaf"))
        if manifest.get("origin") != self.checkpoint.origin or key != self.log:
            raise Rejected("inconsistent", "the manifest names another log")
        if decimal(manifest.get("size")) != self.tree.size or not first <= end <= self.tree.size:
            raise Rejected("inconsistent", "the manifest names another size or range")
        for book in list_of(manifest, "priceBooks"):
            stated = text_of(book, "sha256")
            if not re.fullmatch(r"[0-9a-f]{64}", stated) or text_of(book, "version") != "sha256:" + stated:
                raise Rejected("malformed", "a price book is named by its SHA-256")
            path = "price-books/%s.book" % stated
            if hashlib.sha256(self.read(path)).hexdigest() != stated:
                raise Rejected("altered", "%s is not the book of that hash" % path)
        return first, end

    @staticmethod
    def check_words(manifest: Dict[str, Any]) -> None:
        """What nothing signed bears out must have its form, at least."""
        if manifest.get("format") != "custos-export-v1":
            raise Rejected("malformed", "not an export's manifest")
        text_of(manifest, "ledgerId")
        for name in ("from", "to"):
            if name not in manifest or (
                manifest[name] is not None and not re.fullmatch(TIME, text_of(manifest, name), re.ASCII)
            ):
                raise Rejected("malformed", "%s is no time" % name)
        books = manifest.get("books")
        count = books.get("journals") if isinstance(books, dict) else None
        if type(count) is not int or count < 0:
            raise Rejected("malformed", "the manifest does not count journals")
        if not all(isinstance(line, str) for line in list_of(manifest, "notCovered")):
            raise Rejected("malformed", "the manifest does not say what it does not cover")

    def check_receipt(self, path: str) -> int:
        """Each event's bytes are a leaf under a checkpoint of this log, and that checkpoint is of this history."""
        receipt = parse_json(read_plain(path, path))
        if receipt.get("format") != "custos-receipt-v1" or receipt.get("origin") != self.log.name:
            raise Rejected("unproven", "not a receipt of this log")
        head = self.open(text_of(receipt, "checkpoint").encode())
        if not self.compare(head, "a receipt's checkpoint"):
            raise Rejected("unproven", "the receipt is under a larger tree: that takes an export as new as it is")
        events = list_of(receipt, "events")
        if not events:
            raise Rejected("unproven", "the receipt shows no event")
        for event in events:
            self.check_event(event, text_of(receipt, "checkpoint"))
        return len(events)

    def check_event(self, event: Any, checkpoint: str) -> None:
        index = decimal(text_of(event, "leafIndex"))
        leaf = leaf_hash(unbase64(text_of(event, "bytes")))
        proved, path, note = read_proof(text_of(event, "proof"))
        if proved != index:
            raise Rejected("unproven", "the proof is of another leaf than the receipt names")
        under = self.open(note.encode())
        # With its cosignatures: of another note nobody could say that the same witnesses were shown it.
        if note != checkpoint:
            raise Rejected("unproven", "the proof is under another checkpoint than the receipt's")
        check_path(leaf, index, under, path)


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies an export of an audit log.")
    parser.add_argument("directory")
    parser.add_argument("verifier_key")
    parser.add_argument("--policy", help="a tlog-policy file of your own; the export's is not believed")
    parser.add_argument("--receipt", action="append", default=[], help="a receipt in JSON")
    options = parser.parse_args(arguments)
    try:
        policy = None
        if options.policy:
            policy = Policy(read_plain(options.policy, options.policy).decode("utf-8", "replace"))
        export = Export(options.directory, parse_vkey(options.verifier_key), policy)
        first, end = export.check_manifest()
        entries = export.check_entries(first, end)
        export.check_files(first, end)
        cited = export.check_cited(first)
        earlier = export.check_history()
        events = sum(export.check_receipt(path) for path in options.receipt)
    except Rejected as reason:
        # Words of an export must not steer the reader's terminal.
        text = "".join(char if char.isprintable() else "?" for char in str(reason))
        print("rejected: %s: %s" % (reason.word, text.encode("ascii", "replace").decode()))
        return reason.exit_code
    print(
        "accepted: %d leaves, %d entries, %d earlier checkpoints, %d receipts of %d events%s"
        % (export.tree.size, entries, earlier, len(options.receipt), events, ", %d cited records" % cited if first else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
