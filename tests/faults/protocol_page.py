# SPDX-License-Identifier: Apache-2.0
"""What docs/protocol.md says about messages: the keys of each request with their types, and the types of replies.

The tests take their expectation from the page that peers read, so a message that is added there is tested from then on.
"""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/protocol.md"
INT64 = range(-(2**63), 2**63)


class Type:
    """One type of the page, such as `{str: {int: any}}` or `[int] or nil`."""

    def __init__(self, text: str):
        self.text = text

    def allows(self, value: object) -> bool:
        return any(_allows(option, value) for option in _options(self.text))


def _options(text: str) -> list[str]:
    """The parts between the ` or ` that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "[{") - (c in "]}")
        if depth == 0 and text.startswith(" or ", i):
            parts.append(text[start:i])
            start = i + 4
    return [*parts, text[start:]]


def _allows(text: str, value: object) -> bool:
    if text == "any":
        return True
    if text == "nil":
        return value is None
    if text == "str":
        return isinstance(value, str)
    if text == "bool":
        return isinstance(value, bool)
    if text == "int":
        return isinstance(value, int) and not isinstance(value, bool) and value in INT64
    if text.startswith("["):
        return isinstance(value, list) and all(Type(text[1:-1]).allows(item) for item in value)
    assert text.startswith("{"), f"{PAGE.name} has a type that this test does not know: {text}"
    if not isinstance(value, dict):
        return False
    pair = re.fullmatch(r"\{(str|int): (.*)\}", text)
    if pair is None:  # {dtype, shape, ...}: a record
        return set(value) <= set(text[1:-1].split(", "))
    return all(Type(pair[1]).allows(key) and Type(pair[2]).allows(entry) for key, entry in value.items())


class Key:
    """A key of a request's body."""

    def __init__(self, text: str):
        name, _, type_text = text.partition(": ")
        self.name, self.required, self.type = name.rstrip("?"), not name.endswith("?"), Type(type_text)


def _table(title: str) -> list[tuple[str, str]]:
    section = PAGE.read_text().split(f"**{title}**")[1].split("**")[0]
    return re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)


def requests(title: str) -> dict[str, list[Key]]:
    """Request type -> its keys; the title is that of a table."""
    rows = {name: [Key(text) for text in re.findall(r"`([^`]+)`", keys)] for name, keys in _table(title)}
    assert rows, f"{PAGE.name} has no table '{title}'"
    return rows


CONTROLLER = requests("Requests to a controller")
STORAGE = requests("Requests to a storage unit")
REPLIES = {name for name, _ in _table("Replies")}
