"""Invokes each packaged function with each of its events, in a container, and matches the answer."""

import re
import time

import pytest

import cases
import gateway
import seeding

answers = {}


def answer(servers, seeded, folder, name):
    """The answer to a case. Each is invoked once, after those that it names."""
    if (folder, name) not in answers:
        event = (cases.EVENTS / folder / f"{name}.json").read_text()
        if "{{expired_token}}" in event:
            time.sleep(max(0, seeded["expires"] + 1 - time.time()))
        if "{{access_token}}" in event:  # the seeded one lives 60 seconds, and containers take theirs
            seeded["access_token"] = seeding.refresh(servers, seeded)
        for before in cases.expectation(folder, name, seeded).get("after", []):
            answer(servers, seeded, folder, before)
        answers[folder, name] = gateway.invoke(servers, cases.function_of(folder), cases.event(folder, name, seeded))
    return answers[folder, name]


@pytest.mark.parametrize("folder, name", [pytest.param(*case, id="/".join(case)) for case in cases.all_cases()])
def test_event(servers, seeded, folder, name):
    got, log = answer(servers, seeded, folder, name)
    found = cases.mismatch(cases.expectation(folder, name, seeded)["answer"], got)
    assert found is None, f"{found}\n{log[-2000:]}"
    for secret in ("access_token", "api_key", "expired_token", "revoked_key"):
        assert seeded[secret] not in log, f"{secret} is in the log"
    assert not re.search(r"panic|goroutine \d+", log), log[-2000:]
