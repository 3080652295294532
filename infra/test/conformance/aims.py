"""What the first request of each operation is aimed at, so that every run, whatever its seed and size, sees each of them
done: things that are made through the API before the run, and that no other request is led to."""

import requests

from memory import FILES, operation_id

# What the runs of the command seed were made for.
REPOSITORY, PULL_REQUEST, COMMIT = "7", 17, "73e3d2f426ea2670d37c4d6b146f0e20cbc65399"
VALUE, DRAFT, FILE = "aim/value", "aim/draft", "aim/file"
KEYS = {
    "kvGet": VALUE, "kvSet": VALUE, "kvCompareAndSet": VALUE, "kvDelete": DRAFT,
    "kvCount": VALUE, "kvSize": VALUE, "kvIterate": VALUE, "artifactOpen": FILE, "artifactCreate": FILE,
}
UPLOADS = ("artifactUpload", "artifactAbort", "artifactComplete")
# Operations that only one VCS has.
ONLY_OF = {"isGroupMember": "gitlab", "gitlabCallback": "gitlab"}


class Aims:
    def __init__(self, base, memory):
        self.base = base
        self.memory = memory
        self.uploads = {}  # by (operation, vcs)
        self.revocable = None

    def make(self, token):
        """Makes what the requests are aimed at."""
        self.session = requests.Session()
        self.session.headers["Authorization"] = token
        for vcs in ("github", "gitlab"):
            kv = f"/api/v1/{vcs}/kv/1"
            record = self.send("PUT", f"{kv}/key/{VALUE}", {"data": {"sha": "abc", "items": [{"name": "x"}]}})
            self.memory.versions[vcs, "1", VALUE, 0] = record["version"]
            self.send("PUT", f"{kv}/key/{DRAFT}", {"data": 1, "committed": False})
            self.send("POST", f"{kv}/artifact/upload/{self.upload(kv)}/complete", None)
            for operation in UPLOADS:
                self.uploads[operation, vcs] = self.upload(kv)
        # The creation returns the key's text, and the list returns its id.
        name = "to be revoked " + token[-8:]
        self.send("POST", "/api/v1/github/access-token", {"name": name, "capabilities": ["kv_store_read"]})
        listed = self.send("GET", "/api/v1/github/access-token?limit=100", None)["results"]
        self.revocable = next(key["id"] for key in listed if key["name"] == name)

    def upload(self, kv):
        """Announces a file and sends its bytes. It becomes a record when somebody completes it."""
        sha256, content = next(item for item in FILES.items() if item[1])
        announced = self.send("POST", f"{kv}/artifact/key/{FILE}", {"sha256": sha256, "size": len(content)})
        put = announced["put"]
        requests.put(put["url"], data=content, headers=put["headers"], timeout=30).raise_for_status()
        return announced["id"]

    def send(self, method, path, body):
        answer = self.session.request(method, self.base + path, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def aim(self, case):
        """Leads a request that is valid throughout to what it finds, without options."""
        name, path = operation_id(case), case.path_parameters
        needed = {p.name for p in case.operation.query if p.is_required}
        for option in set(case.query) - needed:
            del case.query[option]
        if name in ONLY_OF:
            path["vcs"] = ONLY_OF[name]
        if "installation_id" in path:
            path["installation_id"] = "1"
        if name in KEYS:
            path["key"] = KEYS[name]
        if name in UPLOADS:
            path["upload_id"] = self.uploads[name, path["vcs"]]
        if name == "isGroupMember":
            path["id"] = "1"
        if name in ("getTask", "abortTask"):
            path["id"] = self.memory.tasks[0]
        if "work_manifest_id" in path:
            path["work_manifest_id"] = self.memory.run(case).work if name.startswith("runner") else self.memory.ended(case).id
        if name == "getStepText":
            path["idx"] = 0
        if name == "listStacks":
            path["repo_id"], path["pull_request_id"] = REPOSITORY, PULL_REQUEST
        if name == "runnerStorePlan":
            case.body = {"path": "net", "workspace": "default", "plan_data": ""}
        if name == "runnerUploadPlan":
            sha256, content = next(iter(FILES.items()))
            case.body = {"path": "net", "workspace": "default", "size": len(content), "sha256": sha256}
        if name == "runnerInitiate":
            case.body = {"run_id": self.memory.run(case).id, "sha": COMMIT}
        if name == "revokeApiKey":
            case.query["id"] = self.revocable
        if name == "kvCommit":
            case.body["keys"] = [{"key": DRAFT}]
        if name == "kvCompareAndSet":
            case.body.pop("idx", None)
            case.body["version"] = self.memory.versions[path["vcs"], "1", VALUE, 0]
