"""What schemathesis needs to know of this API: how to hold a credential, which records exist, and two checks of its own
in place of general ones that expect 401 and 405. Loaded by schemathesis.toml."""

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.generation.meta import CoverageScenario, coverage_scenario

sys.path.insert(0, str(Path(__file__).parent))

import exceptions  # noqa: E402
from aims import Aims  # noqa: E402
from memory import Memory, operation_id  # noqa: E402
from steering import Steering  # noqa: E402
from tally import Tally  # noqa: E402

BASE = os.environ["CONFORMANCE_URL"]
KEY = os.environ["CONFORMANCE_API_KEY"]
TOKEN = os.environ["CONFORMANCE_TOKEN"]  # the program that exchanges the key
REFRESH = "/api/v1/access-token/refresh"

# Only one request at a time learns and chooses, so that a seed repeats a run.
lock = threading.Lock()
issued = {"Bearer " + KEY}
memory = Memory(
    tasks=os.environ["CONFORMANCE_TASKS"].split(), own_key=os.environ["CONFORMANCE_API_KEY_ID"],
    runs=[line.split() for line in os.environ["CONFORMANCE_RUNS"].splitlines()],
)
issued.update("Bearer " + run.token for pair in memory.runs.values() for run in pair)
aims = Aims(BASE, memory)
tally = Tally(Path(os.environ["CONFORMANCE_TALLY"]))
steering = Steering(memory, aims, tally, seed=int(os.environ["CONFORMANCE_SEED"]))


def exchange():
    """An access token for the key of this run, from the client that all programs here share."""
    return "Bearer " + subprocess.run([TOKEN], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


aims.make(exchange())


# A token lives 60 seconds, and the request that uses it may wait a little.
@schemathesis.auth(refresh_interval=40)
class Credential:
    """The API key where only that is good, the token of a run where a runner calls, an access token in exchange for the
    key where only that is good, else either."""

    def get(self, case, context):
        token = exchange()
        issued.add(token)
        return token

    def set(self, case, token, context):
        path = case.operation.path
        if operation_id(case).startswith("runner"):
            token = "Bearer " + memory.run(case).token
        with_key = path == REFRESH or path.endswith("/whoami") and steering.sometimes()
        case.headers["Authorization"] = "Bearer " + KEY if with_key else token


@schemathesis.hook
def before_call(context, case, kwargs):
    # The document describes the redirect, not the file behind it.
    kwargs["allow_redirects"] = False
    with lock:
        steering.steer(case)


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        tally.count(case, response)
        memory.learn(case, response)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps what is a finding; exceptions.py says with reasons what is none."""
    return not exceptions.is_right(failure, case, response)


@schemathesis.check
def credential_is_required(ctx, response, case):
    """A request without a credential that was issued is answered 403 without a body, where one is asked for."""
    if not case.operation.definition.raw.get("security", [{}]) or tries_method(case):
        return
    if response.request.headers.get("Authorization") in issued:
        return
    # The gateway looks for the route before it asks for a credential.
    if response.status_code not in (403, 404) or response.content:
        raise Failure(
            operation=case.operation.label, title="Answer without a credential",
            message=f"want 403 without a body, got {response.status_code}: {response.text[:200]}",
        )


@schemathesis.check
def unknown_method_is_not_found(ctx, response, case):
    """A method that the path does not have is answered 404 without a body."""
    if not tries_method(case):
        return
    if response.status_code != 404 or response.content:
        raise Failure(
            operation=case.operation.label, title="Answer to a method that the path does not have",
            message=f"{response.request.method}: want 404 without a body, got {response.status_code}: {response.text[:200]}",
        )


def tries_method(case):
    """Whether the request tries a method that the document does not give the path."""
    return coverage_scenario(case) == CoverageScenario.UNSPECIFIED_HTTP_METHOD


atexit.register(tally.write)
