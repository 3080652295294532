"""The whole way through "sam local start-api": an API key, a token in exchange, a value stored and read.

The local gateway of SAM is not API Gateway: it ignores gateway responses, decodes paths and never caches. So neither the
bodies of refusals nor odd keys are asserted here, but on the transformed template (test_template.py) and through the
local stack.
"""

import hashlib
import http.client
import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import pytest

import gateway


class Stay(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer that it is."""

    def redirect_request(self, *_):
        return None


@pytest.fixture(scope="module")
def call(servers, seeded):
    opener = urllib.request.build_opener(Stay)
    with tempfile.TemporaryFile() as log, gateway.start_api(servers, gateway.free_port(), log, seeded["api_key"]) as url:

        def call(method, path, credential=None, body=None):
            request = urllib.request.Request(url + path, method=method)
            if credential:
                request.add_header("Authorization", "Bearer " + credential)
            if body is not None:
                request.data = json.dumps(body).encode()
                request.add_header("Content-Type", "application/json")
            try:
                with opener.open(request, timeout=30) as response:
                    return response.status, json.loads(response.read() or "null")
            except urllib.error.HTTPError as refusal:
                return refusal.code, None

        yield call
        log.seek(0)
        assert b"panic" not in log.read(), "a function panicked"


def test_key_to_token_to_value(call, seeded):
    status, answer = call("POST", "/api/v1/access-token/refresh", seeded["api_key"])
    assert status == 200, answer
    token = answer["token"]
    assert call("GET", "/api/v1/whoami", token) == (200, {"id": seeded["user"], "vcs": ["github"]})
    key = "/api/v1/github/kv/1/key/greeting"
    status, answer = call("PUT", key, token, {"data": {"hello": "world"}})
    assert (status, answer["version"], answer["data"]) == (200, 0, None), answer
    status, answer = call("GET", key, token)
    assert (status, answer["data"]) == (200, {"hello": "world"}), answer


def test_large_value_goes_through_the_bucket(call, seeded):
    _, answer = call("POST", "/api/v1/access-token/refresh", seeded["api_key"])
    value = "x" * 1_000_000
    assert call("PUT", "/api/v1/github/kv/1/key/large", answer["token"], {"data": value})[0] == 200
    status, answer = call("GET", "/api/v1/github/kv/1/key/large", answer["token"])
    assert status == 200 and answer["data"] == value


def test_file_goes_straight_to_the_bucket(call, servers, seeded):
    _, answer = call("POST", "/api/v1/access-token/refresh", seeded["api_key"])
    token, content, kv = answer["token"], b"a file", "/api/v1/github/kv/1/artifact"
    status, upload = call("POST", kv + "/key/file", token, {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    assert status == 201, upload
    # The address names the server as the functions see it. From here the server has another
    # address, but the signature needs the same name. "curl --connect-to" does the same.
    address = urllib.parse.urlsplit(upload["put"]["url"])
    s3 = http.client.HTTPConnection(urllib.parse.urlsplit(servers.s3).netloc, timeout=30)
    s3.request("PUT", f"{address.path}?{address.query}", content, {"Host": address.netloc, **upload["put"]["headers"]})
    response = s3.getresponse()
    assert response.status == 200, response.read()
    s3.close()
    status, upload = call("POST", f"{kv}/upload/{upload['id']}/complete", token)
    assert (status, upload["state"]) == (200, "done"), upload
    assert call("GET", kv + "/key/file", token)[0] == 302


def test_refusals(call, seeded):
    assert call("GET", "/api/v1/whoami", "garbage")[0] == 403
    assert call("GET", "/api/v1/github/kv/1/key/greeting", seeded["api_key"])[0] == 403
    assert call("GET", "/api/v1/github/kv/2/key/greeting", seeded["access_token"])[0] == 403
    assert call("GET", "/api/v1/whoami")[0] == 403


def test_routes_without_credential(call):
    assert call("GET", "/health")[0] == 200
    assert call("GET", "/api/v1/server/config")[0] == 200
    assert call("GET", "/api/v1/openapi.json")[1]["openapi"].startswith("3.1")
