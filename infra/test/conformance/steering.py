"""Turns most requests towards what exists. Left to themselves they would name keys and ids that nobody has ever made, and
see little but 404. What was made wrong on purpose stays as it is."""

import random
from datetime import datetime, timedelta, timezone

from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoverageScenario, coverage_scenario

from aims import PULL_REQUEST, REPOSITORY
from memory import FILES, operation_id, place

KEYS = ["env/prod", "build/log", "build/log/2", "a", "", "grün/ключ", "a+b c%2F", "..", "k" * 1000]
# Artifacts have keys of their own. Otherwise values would soon overwrite them.
FILE_KEYS = ["file/app.zip", "file/grün"]
# Records with these keys may lock out their own writer, so no other operation uses these keys.
LOCKED = ["locked/1", "locked/2"]
SELECTIONS = [["a=sha"], ["n=items[0].name", "all=items[*].name"], [""], ['odd="odd key".x', "a=a.b"]]
VALUES = [{"sha": "abc"}, {"items": [{"name": "x"}, {"name": None}]}, "text", None, {"odd key": {"x": [1.5]}, "a": {"b": True}}]


class Steering:
    def __init__(self, memory, aims, tally, seed):
        self.memory = memory
        self.aims = aims
        self.tally = tally
        self.random = random.Random(seed)
        self.bodies = {
            "createApiKey": self.new_key, "kvSet": self.value, "kvCompareAndSet": self.value,
            "kvCommit": self.commit, "artifactCreate": self.file, "kvRead": self.named, "kvWrite": self.named,
            "runnerStorePlan": self.plan, "runnerUploadPlan": self.plan,
        }

    def mostly(self):
        return self.random.random() < 0.8

    def sometimes(self):
        return self.random.random() < 0.3

    def steer(self, case):
        if not negative(case, ParameterLocation.PATH):
            self.path(case)
        if not negative(case, ParameterLocation.QUERY):
            self.query(case)
        if not negative(case, ParameterLocation.HEADER) and "If-None-Match" in case.headers and self.memory.tags and self.mostly():
            case.headers["If-None-Match"] = self.random.choice(self.memory.tags)
        body = self.bodies.get(operation_id(case))
        if body and isinstance(case.body, dict) and not negative(case, ParameterLocation.BODY):
            body(case)
        if not self.tally.done(case) and valid(case):
            self.aims.aim(case)
        # Without its key, the run would get only 403 from here on.
        if operation_id(case) == "revokeApiKey" and self.memory.own_key in str(case.query.get("id")):
            case.query["id"] = self.memory.tasks[0]

    def path(self, case):
        path = case.path_parameters
        if "installation_id" in path and self.random.random() < 0.95:
            path["installation_id"] = "1"
        if "key" in path and self.mostly():
            path["key"] = self.key(case)
        if "upload_id" in path and self.memory.uploads and self.mostly():
            path["vcs"], path["installation_id"], path["upload_id"] = self.random.choice(self.memory.uploads)
        if "work_manifest_id" in path and self.mostly():
            runner = operation_id(case).startswith("runner")
            path["work_manifest_id"] = self.memory.run(case).work if runner else self.memory.ended(case).id
        if "repo_id" in path and self.mostly():
            path["repo_id"] = REPOSITORY
        if "pull_request_id" in path and self.mostly():
            path["pull_request_id"] = PULL_REQUEST
        if "idx" in path and self.mostly():
            path["idx"] = 0
        if "id" in path and self.mostly():
            path["id"] = "1" if operation_id(case) == "isGroupMember" else self.random.choice(self.memory.tasks)

    def query(self, case):
        query, name = case.query, operation_id(case)
        if "idx" in query and self.mostly():
            query["idx"] = self.idx()
        if "version" in query and self.mostly():
            query["version"] = self.version(case, query.get("idx", 0))
        if "select" in query and self.mostly():
            query["select"] = self.random.choice(SELECTIONS)
        if "cursor" in query and self.mostly():
            del query["cursor"]
            if self.memory.cursors:
                case.path_parameters["key"], query["cursor"] = self.random.choice(self.memory.cursors)
        if "page" in query and self.mostly():
            del query["page"]
            if self.memory.pages:
                query["page"] = self.random.choice(self.memory.pages)
        if name == "revokeApiKey" and self.memory.keys and self.mostly():
            query["id"] = self.random.choice(self.memory.keys)
        if name == "artifactUpload" and "after" in query and self.sometimes():
            query["after"] = 0

    def key(self, case):
        """The keys that the operation is about, or now and then others."""
        kinds = [KEYS, KEYS, FILE_KEYS, LOCKED]
        if operation_id(case) in ("artifactCreate", "artifactOpen"):
            kinds = [FILE_KEYS] * 9 + [KEYS]
        elif operation_id(case) in ("kvSet", "kvCompareAndSet", "kvDelete"):
            kinds = [KEYS] * 9 + [LOCKED]
        return self.random.choice(self.random.choice(kinds))

    def idx(self):
        return self.random.choice([0, 0, 0, 1, 2, -1])

    def known(self, case, idx):
        return (*place(case), case.path_parameters.get("key"), idx) in self.memory.versions

    def version(self, case, idx):
        """The version that the record had when it was last seen."""
        return self.memory.versions.get((*place(case), case.path_parameters.get("key"), idx), 0)

    def new_key(self, case):
        body = case.body
        if "expires_at" in body and self.mostly():
            end = datetime.now(timezone.utc) + timedelta(minutes=self.random.randint(2, 10000))
            body["expires_at"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        for capability in body["capabilities"]:
            if isinstance(capability, dict) and self.mostly():
                if "vcs" in capability:
                    capability["vcs"] = case.path_parameters["vcs"]
                else:
                    capability["id"] = "1"

    def value(self, case):
        if self.sometimes():
            case.body["data"] = self.random.choice(VALUES)
        self.record(case)

    def record(self, case):
        body = case.body
        if "idx" in body and self.mostly():
            body["idx"] = self.idx()
        # The caller of the run has every capability and no restriction.
        if any(isinstance(c, dict) for name in ("read_caps", "write_caps") for c in body.get(name) or []):
            case.path_parameters["key"] = self.random.choice(LOCKED)
        idx = body.get("idx", 0)
        if ("version" in body or operation_id(case) == "kvCompareAndSet" and self.known(case, idx)) and self.mostly():
            body["version"] = self.version(case, idx)

    def commit(self, case):
        for item in case.body["keys"]:
            if self.mostly():
                item["key"] = self.key(case)
            if "idx" in item and self.mostly():
                item["idx"] = self.idx()

    def named(self, case):
        """A body that names the operation and the key."""
        for operation, asked in case.body.items():
            if self.mostly():
                asked["key"] = self.random.choice(FILE_KEYS if "artifact" in operation else KEYS)
            if any(isinstance(c, dict) for name in ("read_caps", "write_caps") for c in asked.get(name) or []):
                asked["key"] = self.random.choice(LOCKED)
            if "idx" in asked and self.mostly():
                asked["idx"] = self.idx()
            if "select" in asked and self.mostly():
                asked["select"] = self.random.choice(SELECTIONS)
            if self.mostly():
                asked.pop("cursor", None)
            if "sha256" in asked and self.mostly():
                sha256, content = self.random.choice(list(FILES.items()))
                asked["sha256"], asked["size"] = sha256, len(content)

    def plan(self, case):
        if self.mostly():
            case.body.update(path="net", workspace="default")

    def file(self, case):
        self.record(case)
        if self.mostly():
            sha256, content = self.random.choice(list(FILES.items()))
            case.body["sha256"], case.body["size"] = sha256, len(content)


def valid(case):
    """Whether the request is one that the document allows: in each of its parts, and by its method."""
    if coverage_scenario(case) == CoverageScenario.UNSPECIFIED_HTTP_METHOD:
        return False
    return not any(negative(case, location) for location in ParameterLocation)


def negative(case, location):
    return case.meta is not None and case.meta.is_negative_at(location)
