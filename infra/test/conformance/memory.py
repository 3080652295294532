"""What a run has learnt from the answers so far, so that later requests can meet what is there."""

import hashlib
import re
from collections import deque
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import requests

# The files that are sent as artifacts, keyed by their SHA-256.
FILES = {hashlib.sha256(content).hexdigest(): content for content in (b"", b"one line\n", bytes(range(256)) * 64)}


class Run(NamedTuple):
    """A run, with the credentials of its runner: the work token in the path, and the bearer token."""

    id: str
    work: str
    token: str


class Memory:
    """Ids, versions and cursors that the stack has handed out, the latest of each."""

    def __init__(self, tasks, own_key, runs):
        self.tasks = tasks
        # By VCS: the run that has completed, and the one that is running.
        self.runs = {vcs: (Run(*texts[:3]), Run(*texts[3:])) for vcs, *texts in runs}
        self.own_key = own_key  # the id of the key of this run, which must not be revoked
        self.keys = deque(maxlen=50)
        self.pages = deque(maxlen=20)
        self.uploads = deque(maxlen=30)  # (vcs, installation, id)
        self.cursors = deque(maxlen=20)
        self.tags = deque(maxlen=20)
        self.versions = {}  # by (vcs, installation, key, idx)
        self.learners = {
            "listApiKeys": self.list_of_keys,
            "kvGet": self.record, "kvSet": self.record, "kvCompareAndSet": self.record,
            "kvIterate": self.records,
            "artifactCreate": self.upload,
            "artifactComplete": self.completed,
            "artifactOpen": self.tag,
        }

    def learn(self, case, response):
        learner = self.learners.get(operation_id(case))
        if learner is None or response.status_code not in (200, 201, 302) or not of_operation(case, response):
            return
        try:
            learner(case, response)
        except (LookupError, TypeError, ValueError):
            pass  # an answer that is not as documented is for the checks to tell

    def ended(self, case):
        """The run that has completed."""
        return self.runs.get(str(case.path_parameters.get("vcs")), self.runs["github"])[0]

    def run(self, case):
        """The run whose runner sends the request. The first report ends a run, so reports are those of the run that has
        completed: its runner repeats them."""
        if operation_id(case) == "runnerReport":
            return self.ended(case)
        return self.runs.get(str(case.path_parameters.get("vcs")), self.runs["github"])[1]

    def list_of_keys(self, case, response):
        self.keys.extend(k["id"] for k in response.json()["results"] if k["id"] != self.own_key)
        self.pages.extend(query["page"] for query in linked(response) if "page" in query)

    def record(self, case, response):
        record = response.json()
        self.versions[*place(case), record["key"], record["idx"]] = record["version"]

    def records(self, case, response):
        self.cursors.extend((case.path_parameters["key"], query["cursor"][0]) for query in linked(response) if "cursor" in query)

    def upload(self, case, response):
        upload = response.json()
        self.uploads.append((*place(case), upload["id"]))
        content = FILES.get(upload["sha256"].lower())
        if content is None or len(content) != upload["size"]:
            return
        # One upload of four is left incomplete.
        if len(self.uploads) % 4:
            put = upload["put"]
            requests.put(put["url"], data=content, headers=put["headers"], timeout=30).raise_for_status()

    def completed(self, case, response):
        record = response.json()["record"]
        self.versions[*place(case), record["key"], record["idx"]] = record["version"]

    def tag(self, case, response):
        self.tags.append(response.headers["etag"][0])


def of_operation(case, response):
    """False for a method that was tried on the operation's path."""
    return case.operation.method.upper() == response.request.method


def place(case):
    return str(case.path_parameters["vcs"]), str(case.path_parameters["installation_id"])


def linked(response):
    """The queries of the neighbouring pages."""
    text = (response.headers.get("link") or [""])[0]
    return [parse_qs(urlsplit(url).query, keep_blank_values=True) for url in re.findall(r"<([^>]*)>", text)]


def operation_id(case):
    return case.operation.definition.raw.get("operationId")
