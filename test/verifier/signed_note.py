"""C2SP signed-note, tlog-checkpoint, tlog-cosignature v1 (Ed25519) and tlog-policy, read strictly."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import ed25519
from verdict import Rejected

MAX_SIZE = 2**63 - 1
# As golang.org/x/mod/sumdb/note.
MAX_NOTE_BYTES, MAX_SIGNATURES = 1_000_000, 100
NOTE, COSIGNATURE = 1, 4


@dataclass(frozen=True)
class Key:
    name: str
    key_id: bytes
    kind: int
    public: bytes


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes
    body: str


def decimal(text: object) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"0|[1-9][0-9]{0,18}", text, re.ASCII):
        raise Rejected("malformed", "a number is not a plain decimal")
    if int(text) > MAX_SIZE:
        raise Rejected("malformed", "a number is above 2^63 - 1")
    return int(text)


def unbase64(text: object) -> bytes:
    try:
        if isinstance(text, str):
            raw = base64.b64decode(text.encode("ascii"), validate=True)
            if base64.b64encode(raw).decode("ascii") == text:
                return raw
    except (binascii.Error, UnicodeEncodeError, ValueError):
        pass
    raise Rejected("malformed", "not canonical base64")


def parse_vkey(vkey: str) -> Key:
    parts = vkey.split("+", 2)
    if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]) or not _is_name(parts[0]):
        raise Rejected("malformed", "a verifier key is <name>+<key id>+<base64>")
    typed = unbase64(parts[2])
    if len(typed) != 33 or typed[0] not in (NOTE, COSIGNATURE):
        raise Rejected("malformed", "not an Ed25519 verifier key of a log or a witness")
    key_id = hashlib.sha256(parts[0].encode() + b"\n" + typed).digest()[:4]
    if key_id.hex() != parts[1]:
        raise Rejected("malformed", "the key ID is not that of the key")
    return Key(parts[0], key_id, typed[0], typed[1:])


def open_checkpoint(note: bytes, log: Key, witnesses: List[Key]) -> Tuple[Checkpoint, List[Key]]:
    """The checkpoint that this log signed, and which of these witnesses cosigned it."""
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("malformed", "a note is UTF-8") from None
    if len(note) > MAX_NOTE_BYTES or any(char < " " and char != "\n" for char in text):
        raise Rejected("malformed", "a note is short and has no control characters")
    split = text.rfind("\n\n")
    lines = text[split + 2 :].split("\n")
    if split < 0 or lines.pop() != "" or not lines:
        raise Rejected("malformed", "a note ends in an empty line and its signatures")
    if len(lines) > MAX_SIGNATURES:
        raise Rejected("malformed", "a note has at most %d signatures" % MAX_SIGNATURES)
    body = text[: split + 1]
    signed: List[Key] = []
    for line in lines:
        name, key_id, signature = _signature_line(line)
        for key in [log, *witnesses]:
            if (key.name, key.key_id) == (name, key_id):
                if not _is_good(key, body, signature):
                    raise Rejected("forged", "the signature of %s is wrong" % name)
                signed.append(key)
    if log not in signed:
        raise Rejected("unsigned", "the log %s did not sign this checkpoint" % log.name)
    checkpoint = _parse_checkpoint(body)
    if checkpoint.origin != log.name:
        raise Rejected("unsigned", "the checkpoint is of another log: %s" % checkpoint.origin)
    return checkpoint, [key for key in witnesses if key in signed]


def _signature_line(line: str) -> Tuple[str, bytes, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014" or not _is_name(parts[1]):
        raise Rejected("malformed", "not a signature line")
    raw = unbase64(parts[2])
    if len(raw) < 5:
        raise Rejected("malformed", "a signature line holds a key ID and a signature")
    return parts[1], raw[:4], raw[4:]


def _is_good(key: Key, body: str, signature: bytes) -> bool:
    if key.kind == NOTE:
        return ed25519.verify(key.public, body.encode(), signature)
    seconds = int.from_bytes(signature[:8], "big")
    message = "cosignature/v1\ntime %d\n%s" % (seconds, body)
    return seconds <= MAX_SIZE and ed25519.verify(key.public, message.encode(), signature[8:])


def _parse_checkpoint(body: str) -> Checkpoint:
    lines = body.split("\n")
    if lines.pop() != "" or len(lines) < 3 or "" in lines:
        raise Rejected("malformed", "a checkpoint has an origin, a size and a root hash")
    root = unbase64(lines[2])
    if len(root) != 32:
        raise Rejected("malformed", "a root hash has 32 bytes")
    return Checkpoint(lines[0], decimal(lines[1]), root, body)


def _is_name(name: str) -> bool:
    return name != "" and "+" not in name and not any(char.isspace() for char in name)


class Policy:
    """C2SP tlog-policy: which witnesses, and how many of them, must have cosigned."""

    def __init__(self, text: str) -> None:
        self.logs: List[Key] = []
        self.witnesses: Dict[str, Key] = {}
        self._groups: Dict[str, Tuple[int, List[str]]] = {}
        self._quorum: Optional[str] = None
        for line in text.split("\n"):
            items = [item for item in re.split(r"[ \t]+", line) if item]
            if items and not items[0].startswith("#"):
                self._read(items)
        if self._quorum is None:
            raise Rejected("malformed", "the policy has no quorum line")

    def require(self, cosigners: List[Key]) -> None:
        if self._quorum != "none" and not self._has(str(self._quorum), cosigners):
            raise Rejected("unwitnessed", "the witnesses' quorum is not met")

    def _has(self, name: str, cosigners: List[Key]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name] in cosigners
        threshold, members = self._groups[name]
        return sum(self._has(member, cosigners) for member in members) >= threshold

    def _read(self, items: List[str]) -> None:
        word, rest = items[0], items[1:]
        if word == "log" and len(rest) in (1, 2):
            self.logs.append(self._own(parse_vkey(rest[0]), NOTE))
        elif word == "witness" and len(rest) in (2, 3) and not self._is_defined(rest[0]):
            self.witnesses[rest[0]] = self._own(parse_vkey(rest[1]), COSIGNATURE)
        elif word == "group" and len(rest) >= 3 and not self._is_defined(rest[0]):
            self._group(rest[0], rest[1], rest[2:])
        elif word == "quorum" and len(rest) == 1 and self._is_defined(rest[0]) and self._quorum is None:
            self._quorum = rest[0]
        else:
            raise Rejected("malformed", "the policy has a line that is not a policy's: %s" % word)

    def _own(self, key: Key, kind: int) -> Key:
        """Nobody counts twice, nor as a log and as its witness."""
        if key.kind != kind or key.public in [k.public for k in [*self.logs, *self.witnesses.values()]]:
            raise Rejected("malformed", "each log and each witness has a key of its own, of its kind")
        return key

    def _group(self, name: str, count: str, members: List[str]) -> None:
        taken = [member for _, others in self._groups.values() for member in others]
        for at, member in enumerate(members):
            if member == "none" or not self._is_defined(member) or member in taken + members[:at]:
                raise Rejected("malformed", "a member is defined before, and once in one group")
        threshold = {"all": len(members), "any": 1}.get(count)
        threshold = decimal(count) if threshold is None else threshold
        if not 1 <= threshold <= len(members):
            raise Rejected("malformed", "a group needs between one and all of its members")
        self._groups[name] = (threshold, members)

    def _is_defined(self, name: str) -> bool:
        return name == "none" or name in self.witnesses or name in self._groups
