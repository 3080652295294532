"""The commands of "sam local", on the packaged functions."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

from containers import ARCH, BUCKETS, CREDENTIALS, ROOT, WORK, wait_for

SAM = ROOT / ".tools" / "venv" / "bin" / "sam"

# Addresses inside the network of the containers.
ENDPOINTS = {"AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb:8000", "AWS_ENDPOINT_URL_S3": "http://s3:7070", **BUCKETS}


def environment():
    """What sam hands on to the functions, and nothing of the caller's own that would replace a declared variable."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "DOCKER_HOST", "TMPDIR", "LANG")}
    return {
        **kept, **CREDENTIALS, "AWS_DEFAULT_REGION": CREDENTIALS["AWS_REGION"], "SAM_CLI_TELEMETRY": "0",
        # The functions need credentials that the S3 server knows. When sam has credentials, it
        # asks AWS for their account and waits for the response. So this address is a closed
        # port.
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1",
    }


def flags(servers, variables):
    return [
        "--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local", "--template", str(WORK / "build" / "template.yaml"),
        "--docker-network", servers.network.name, "--env-vars", variables,
        "--parameter-overrides", f"Architecture={ARCH}", "GithubAppClientId=Iv1.events", *servers.flags,
    ]


@contextlib.contextmanager
def variables_file():
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"Parameters": ENDPOINTS}, f)
        f.flush()
        yield f.name


# The emulator sometimes starts a function before the emulator itself listens. Such a function
# cannot fetch its first event. That is not a fault of the function.
EMULATOR_LATE = re.compile(r"failed to get the next invoke: .*connection refused[\s\S]*Init failed")


def invoke(servers, function, event):
    """Invokes a function with an event. Answers its answer (None: it gave none) and its log.

    The command ends with 0 whatever the function did: only the answer tells.
    """
    for _ in range(3):
        with variables_file() as variables:
            result = subprocess.run(
                [SAM, "local", "invoke", function, "-e", "-", *flags(servers, variables)],
                input=json.dumps(event), env=environment(), cwd=ROOT, capture_output=True, text=True)
        if result.returncode:
            raise AssertionError(f"sam local invoke {function} ended with {result.returncode}:\n{result.stderr}")
        text = result.stdout.strip()
        if text or not EMULATOR_LATE.search(result.stderr):
            break
    return (json.loads(text) if text else None), result.stderr


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def warm(url, key):
    """Calls each function until it answers: one that was started too early (see EMULATOR_LATE) does so from its second
    event on."""
    for method, path in (("GET", "/health"), ("POST", "/api/v1/access-token/refresh"), ("GET", "/api/v1/whoami"),
                         ("GET", "/api/v1/github/kv/1/key/warm")):
        request = urllib.request.Request(url + path, method=method, headers={"Authorization": f"Bearer {key}"})
        for _ in range(5):
            try:
                urllib.request.urlopen(request, timeout=30).close()
                break
            except urllib.error.HTTPError as refusal:
                if refusal.code < 500:
                    break


@contextlib.contextmanager
def start_api(servers, port, log, key):
    """Serves the template; answers the address when every function has answered, to requests with an API key. The
    functions' containers end with it."""
    with variables_file() as variables:
        process = subprocess.Popen(
            [SAM, "local", "start-api", "--host", "127.0.0.1", "--port", str(port), *flags(servers, variables)],
            env=environment(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            try:
                wait_for(url + "/health", 60)
            except OSError:
                raise SystemExit("sam local start-api does not answer") from None
            warm(url, key)
            yield url
        finally:
            # It ignores Ctrl-C. On SIGTERM it removes its containers.
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
