"""The events of events/ and what they expect; events/README.md describes the format."""

import json
import re

from transformed import ROOT

EVENTS = ROOT / "events"
SUFFIX = ".expect.json"


def all_cases():
    """Every case as (folder, name), in a fixed order."""
    events = {(p.parent.name, p.stem) for p in EVENTS.glob("*/*.json") if not p.name.endswith(SUFFIX)}
    expected = {(p.parent.name, p.name.removesuffix(SUFFIX)) for p in EVENTS.glob("*/*" + SUFFIX)}
    assert events == expected, f"without an event or an expectation: {events ^ expected}"
    return sorted(events)


def function_of(folder):
    return folder.capitalize() + "Function"


def filled(text, values):
    """The text with its placeholders filled in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda m: values[m[1]], text)


def event(folder, name, values):
    return json.loads(filled((EVENTS / folder / f"{name}.json").read_text(), values))


def expectation(folder, name, values):
    return json.loads(filled((EVENTS / folder / f"{name}{SUFFIX}").read_text(), values))


def mismatch(want, got, where="answer"):
    """What of got does not match want, in words; None if all of it does."""
    if isinstance(want, str) and want.startswith("~"):
        text = got if isinstance(got, str) else json.dumps(got, separators=(",", ":"))
        return None if re.search(want[1:], text) else f"{where}: got {text[:300]}, want a match of {want[1:]}"
    if isinstance(want, (dict, list)) and isinstance(got, str):
        try:
            got = json.loads(got)
        except ValueError:
            return f"{where}: got {got[:300]!r}, which is no JSON"
    if isinstance(want, dict) and isinstance(got, dict):
        for key, value in want.items():
            if key not in got:
                return f"{where}.{key}: missing in {json.dumps(got)[:300]}"
            if found := mismatch(value, got[key], f"{where}.{key}"):
                return found
        return None
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (w, g) in enumerate(zip(want, got)):
            if found := mismatch(w, g, f"{where}[{i}]"):
                return found
        return None
    if type(want) is type(got) and want == got:
        return None
    return f"{where}: got {json.dumps(got)[:300]}, want {json.dumps(want)[:300]}"
