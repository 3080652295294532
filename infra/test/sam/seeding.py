"""Puts into fresh servers what a new stack begins with, and answers the values that events name."""

import base64
import json
import re

import cases
import gateway
from containers import TABLES


def seed(servers):
    """A user with a key, the key's token, a key that was revoked. The token also serves, later, as the expired one."""
    values = {"api_key": servers.admin("seed"), "revoked_key": servers.admin("key", "create", "--user", "admin")}
    servers.admin("key", "revoke", values["revoked_key"])
    values["user"] = re.search(r"^id +(\S+)$", servers.admin("user", "show", "admin"), re.M)[1]
    values["key"] = re.search(r'^(\S+) +"first"', servers.admin("key", "list"), re.M)[1]
    values["access_token"] = refresh(servers, values)
    values["expired_token"] = values["access_token"]
    values["operations_table"] = TABLES["OPERATIONS_TABLE"]
    values["session"] = servers.session(values["user"])
    values["run"], values["run_token"] = servers.run()
    payload = values["access_token"].split(".")[1]
    values["expires"] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
    return values


def refresh(servers, values):
    """An access token in exchange for the key, as the authorizer and the tokens function make it between them."""
    authorized, log = gateway.invoke(servers, "AuthorizerFunction", cases.event("authorizer", "api-key", values))
    if not authorized or "context" not in authorized:
        raise AssertionError(f"the authorizer does not know the seeded key: {authorized}\n{log}")
    event = cases.event("tokens", "refresh", values)
    event["requestContext"]["authorizer"] = authorized["context"]
    answer, log = gateway.invoke(servers, "TokensFunction", event)
    if not answer or answer.get("statusCode") != 200:
        raise AssertionError(f"no access token for the seeded key: {answer}\n{log}")
    return json.loads(answer["body"])["token"]
