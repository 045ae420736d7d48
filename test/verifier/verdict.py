"""Why an export is refused: one word and one exit code for each kind of fault."""

from __future__ import annotations

EXIT_CODES = {
    "malformed": 10,  # not of the published format
    "missing": 11,  # a file that a tree of this size must have is not there
    "truncated": 12,  # a file is shorter or longer than it must be
    "altered": 13,  # bytes do not hash to what commits to them
    "reordered": 14,  # the right entries in the wrong order
    "root": 15,  # the tiles agree with each other, but not with what the log signed
    "unsigned": 16,  # no key that we were told to trust has signed
    "forged": 17,  # a key that we trust is named, and its signature is wrong
    "equivocation": 18,  # the log signed two histories
    "unwitnessed": 19,  # the policy's quorum of witnesses did not cosign
    "inconsistent": 20,  # the manifest says something else than the signed checkpoint
    "unexpected": 21,  # a file below tile/ that this tree does not have
    "unproven": 22,  # a receipt does not prove what it shows
}


class Rejected(Exception):
    def __init__(self, word: str, text: str) -> None:
        super().__init__(text)
        self.word = word
        self.exit_code = EXIT_CODES[word]
