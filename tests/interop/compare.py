# SPDX-License-Identifier: Apache-2.0
"""Compares two transcripts of the scenario and says precisely where they part."""

import json

ABSENT = "<absent>"


def by_step(transcript: list) -> dict:
    return {(line["chapter"], line["step"]): line["outcome"] for line in transcript}


def shown(value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 240 else text[:240] + " ..."


def differences(want, got, path: str = "") -> list[str]:
    """One line a place; the wording of errors is not compared."""
    if isinstance(want, dict) and isinstance(got, dict):
        found = []
        if ("$error" in want) != ("$error" in got):
            return [f"{path}: {shown(want)} became {shown(got)}"]
        for key in [*want, *(key for key in got if key not in want)]:
            if key != "$message":
                found += differences(want.get(key, ABSENT), got.get(key, ABSENT), f"{path} / {key}")
        return found
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [line for i, pair in enumerate(zip(want, got)) for line in differences(*pair, f"{path}[{i}]")]
    return [] if type(want) is type(got) and want == got else [f"{path}: {shown(want)} became {shown(got)}"]


def assert_same(want: list, got: list, limit: int = 60) -> None:
    """Every step of `want` must be in `got` with the same outcome."""
    assert want, "a comparison with nothing proves nothing"
    got_steps, found = by_step(got), []
    for step, outcome in by_step(want).items():
        name = ": ".join(step)
        found += differences(outcome, got_steps[step], name) if step in got_steps else [f"{name}: did not get there"]
    assert not found, f"{len(found)} differences\n" + "\n".join(found[:limit])
