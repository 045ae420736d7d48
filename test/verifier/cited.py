"""What the records of a range cite by digest and were said before it: `cited.jsonl` of an export (docs/auditing.md)."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from canonical import canonical, content, parse_record
from signed_note import decimal, unbase64
from strict_json import parse_json, text_of
from verdict import Rejected

FILE = "cited.jsonl"
VERDICT, HEALTH = "custos.decision.recorded.v1", "custos.health.recorded.v1"
CITING = ("custos.generation.opened.v1", "custos.generation.refused.v1")
DIGEST = r"sha256:[0-9a-f]{64}"
ENVELOPE_BYTES = 400
SUBJECT = b'","subject":"sha256:'

Citation = Tuple[str, str]
# The leaf, its bytes and its proof; raises where the proof does not hold under the export's own checkpoint.
Prove = Callable[[int, bytes, str], None]


def _data(entry: bytes, kinds: Tuple[str, ...]) -> Optional[Tuple[str, Dict[str, Any]]]:
    named = [kind for kind in kinds if kind.encode() in entry[:ENVELOPE_BYTES]]
    record = parse_record(entry) if named else None
    if not isinstance(record, dict) or record.get("type") not in named:
        return None
    data = record.get("data")
    return (record["type"], data) if isinstance(data, dict) else None


def cited_by(entry: bytes) -> List[Citation]:
    found = _data(entry, CITING)
    if found is None:
        return []
    places = ((VERDICT, "decision", "digest"), (HEALTH, "versions", "health"))
    cited = []
    for kind, outer, inner in places:
        held = found[1].get(outer)
        digest = held.get(inner) if isinstance(held, dict) else None
        if isinstance(digest, str) and re.fullmatch(DIGEST, digest):
            cited.append((kind, digest))
    return cited


def said_by(entry: bytes) -> Optional[Citation]:
    """The digest of what it says, where it also names it, in its data and as its subject."""
    found = _data(entry, (VERDICT, HEALTH))
    if found is None:
        return None
    kind, data = found
    try:
        # A number beyond any double has no canonical form, wherever it stands.
        canonical(data)
        said = canonical(content(kind, data)).encode("utf-8")
    except ValueError:
        return None
    digest = "sha256:" + hashlib.sha256(said).hexdigest()
    at = entry[:ENVELOPE_BYTES].find(SUBJECT)
    start = at + len(SUBJECT) - len("sha256:")
    subject = entry[start : start + len(digest)] if at >= 0 else b""
    return (kind, digest) if data.get("digest") == digest and subject == digest.encode() else None


class Cited:
    """Takes the proved entries of the range, then the lines."""

    def __init__(self) -> None:
        self.cited: Set[Citation] = set()
        self.said: Set[Citation] = set()
        self.listed: Set[Citation] = set()
        self.counts = {"records": 0, "absent": 0}
        self.last = -1

    def take(self, entry: bytes) -> None:
        self.cited.update(cited_by(entry))
        said = said_by(entry)
        if said is not None:
            self.said.add(said)

    def check(self, claimed: Any, file: Optional[bytes], lines: Iterator[bytes], first: int, prove: Prove) -> int:
        """`claimed`: the manifest's word on the file, None where it has none. Gives the number of records proved."""
        if claimed is None:
            if file is not None:
                raise Rejected("unexpected", "the manifest lists no %s" % FILE)
        elif not isinstance(claimed, dict) or not re.fullmatch("[0-9a-f]{64}", text_of(claimed, "sha256")):
            raise Rejected("malformed", "the manifest does not say what %s is" % FILE)
        elif file is None:
            raise Rejected("missing", "there is no %s" % FILE)
        else:
            for line in lines:
                self._line(parse_json(line), first, prove)
            for what, count in self.counts.items():
                if type(claimed.get(what)) is not int or claimed[what] != count:
                    raise Rejected("inconsistent", "%s has %d lines of %s" % (FILE, count, what))
            if hashlib.sha256(file).hexdigest() != claimed["sha256"]:
                raise Rejected("altered", "%s is not the file of the manifest" % FILE)
        missing = self.cited - self.said - self.listed
        if missing:
            raise Rejected("missing", "a record of %s is cited and not there" % min(missing)[1])
        return self.counts["records"]

    def _line(self, row: Dict[str, Any], first: int, prove: Prove) -> None:
        citation = (text_of(row, "type"), text_of(row, "digest"))
        if citation[0] not in (VERDICT, HEALTH) or not re.fullmatch(DIGEST, citation[1]):
            raise Rejected("malformed", "a line of %s names nothing that is cited" % FILE)
        if citation not in self.cited or citation in self.listed:
            raise Rejected("unexpected", "%s has a line too many for %s" % (FILE, citation[1]))
        self.listed.add(citation)
        if not any(name in row for name in ("leafIndex", "bytes", "proof")):
            self.counts["absent"] += 1
            return
        self.counts["records"] += 1
        leaf, entry = decimal(row.get("leafIndex")), unbase64(row.get("bytes"))
        if leaf >= first or leaf <= self.last or self.counts["absent"]:
            raise Rejected("reordered", "%s is of leaves before the range, in their order" % FILE)
        self.last = leaf
        prove(leaf, entry, text_of(row, "proof"))
        if said_by(entry) != citation:
            raise Rejected("altered", "leaf %d does not say what has the digest %s" % (leaf, citation[1]))
