"""Counts the answers of each operation, so that a run shows what it reached: "tally.py FILE..." prints the sum of what runs
have counted, and fails if an operation was never done."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path


# Operations that no request made from the document can do, and the reasons. The tests of the
# functions cover them.
OUT_OF_REACH = {
    "POST /api/github/v1/events": "a delivery has the host's signature",
    "POST /api/v1/{vcs}/events": "a delivery has the host's token",
    "GET /api/v1/{vcs}/groups": "it takes a login at GitLab",
    "GET /api/v1/{vcs}/installations/{installation_id}/webhook": "it takes a login at GitLab",
    "PUT /api/v1/{vcs}/installations/{installation_id}/access-token": "it takes a login at GitLab",
    "GET /api/v1/{vcs}/whoareyou": "it takes a token that GitLab accepts",
    "POST /api/v1/{vcs}/installations/{installation_id}/repos/refresh": "it takes a GitHub App",
    "POST /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}/work-manifests": "it takes a host that has the branch",
    "POST /api/v1/{vcs}/installations/{installation_id}/work-manifests/{work_manifest_id}/rerun": "it takes a host that has the branch",
    "POST /api/v1/{vcs}/installations/{installation_id}/work-manifests/{work_manifest_id}/abort": "it takes a host that knows the repository",
    "POST /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}/prs/{pull_request_id}/unlock": "it takes a host that knows the repository",
    "POST /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}/drift/unlock": "it takes a host that knows the repository",
    "GET /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}/prs/{pull_request_id}/explain": "it takes a host that has the pull request",
    "POST /api/{vcs}/v1/work-manifests/{work_manifest_id}/access-token": "it takes a GitHub App",
    "GET /api/{vcs}/v1/work-manifests/{work_manifest_id}/plans": "it takes an apply whose plan was chosen for it",
    "GET /api/{vcs}/v1/work-manifests/{work_manifest_id}/plans/download": "it takes an apply whose plan was chosen for it",
    "DELETE /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}": "it takes a host that has the repository archived",
}


class Tally:
    def __init__(self, path):
        self.path = path
        self.counts = defaultdict(Counter)

    def count(self, case, response):
        self.counts[case.operation.label][str(response.status_code)] += 1

    def done(self, case):
        """Whether a request to the operation has been done in this run."""
        return any(status[0] in "23" for status in self.counts[case.operation.label])

    def write(self):
        self.path.write_text(json.dumps(self.counts))


def total(paths):
    counts = defaultdict(Counter)
    for path in paths:
        for operation, statuses in json.loads(Path(path).read_text()).items():
            counts[operation].update(statuses)
    return counts


def show(counts):
    """One line an operation; the statuses are told by their classes, 403 and 404 apart: they say nothing of the rest."""
    groups = {"2xx, 3xx": lambda s: s[0] in "23", "403": "403".__eq__, "404": "404".__eq__, "other 4xx": lambda s: s[0] == "4", "5xx": lambda s: s[0] == "5"}
    print(f"{'':82}{'requests':>10}" + "".join(f"{name:>11}" for name in groups))
    sums = Counter()
    for operation in sorted(counts, key=lambda o: o.split()[::-1]):
        row = Counter()
        for status, n in counts[operation].items():
            row[next(name for name, holds in groups.items() if holds(status))] += n
        sums += row
        print(f"{operation:82}{row.total():>10}" + "".join(f"{row[name]:>11}" for name in groups))
    print(f"{'all':82}{sums.total():>10}" + "".join(f"{sums[name]:>11}" for name in groups))


def never_done(counts):
    return [operation for operation, statuses in sorted(counts.items())
            if operation not in OUT_OF_REACH and not any(status[0] in "23" for status in statuses)]


if __name__ == "__main__":
    counts = total(sys.argv[1:])
    show(counts)
    missed = never_done(counts)
    for operation in missed:
        print(f"no request to {operation} was ever done: what its answers are worth is not known", file=sys.stderr)
    sys.exit(1 if missed else 0)
