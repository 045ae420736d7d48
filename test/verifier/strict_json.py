"""JSON that means one thing only: no member twice, and each value of the type that is asked for."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from verdict import Rejected


def parse_json(raw: bytes) -> Dict[str, Any]:
    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Rejected("malformed", "a JSON object names a member twice")
        return dict(pairs)

    def never(constant: str) -> None:
        raise Rejected("malformed", "%s is not JSON" % constant)

    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError):
        # Also a number of more digits than Python reads.
        raise Rejected("malformed", "not JSON") from None
    if not isinstance(value, dict):
        raise Rejected("malformed", "not a JSON object")
    return value


def text_of(row: Any, name: str) -> str:
    value = row.get(name) if isinstance(row, dict) else None
    if not isinstance(value, str) or any("\ud800" <= char <= "\udfff" for char in value):
        raise Rejected("malformed", "there is no text %s" % name)
    return value


def list_of(row: Dict[str, Any], name: str) -> List[Any]:
    value = row.get(name)
    if not isinstance(value, list):
        raise Rejected("malformed", "there is no list %s" % name)
    return value
