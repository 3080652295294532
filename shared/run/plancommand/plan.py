# Moves a plan between a runner and the bucket of the server. Arguments: "store" or "fetch", and the
# address of the run. The runner replaces words that begin with the dollar sign, so this text has none.
# It prints no token and no presigned address, because the output is in the log of the CI job.
import hashlib, http.client, json, os, shutil, ssl, sys, time, urllib.error, urllib.parse, urllib.request

action, run = sys.argv[1:]
env = os.environ
plan = env["TERRATEAM_PLAN_FILE"]
place = {"path": env["TERRATEAM_DIR"], "workspace": env["TERRATEAM_WORKSPACE"]}
trust = ssl.create_default_context(cafile=env.get("REQUESTS_CA_BUNDLE") or None)


def tried(what, work):
    for pause in (1, 2, 4, 8, None):
        final = pause is None
        try:
            return work()
        except urllib.error.HTTPError as e:
            final = final or e.code < 500 and e.code != 429
            why = "status %d" % e.code
            if "json" in e.headers.get("Content-Type", ""):  # of the server, not of the bucket
                why += ": " + e.read(2000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as e:
            why = str(e) or type(e).__name__
        if final:
            sys.exit("%s the plan: %s: %s" % (action, what, why))
        time.sleep(pause)


def send(request):
    return urllib.request.urlopen(request, timeout=120, context=trust)


def ask(method, path, body=None, token=""):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()

    def work():
        with send(urllib.request.Request(run + path, data, headers, method=method)) as response:
            return json.load(response)

    return tried(method + " " + path.split("?")[0], work)


def digest():
    sha256 = hashlib.sha256()
    with open(plan, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            sha256.update(block)
    return sha256.hexdigest()


def upload(to):
    with open(plan, "rb") as f:
        headers = dict(to["headers"], **{"Content-Length": str(os.path.getsize(plan))})
        send(urllib.request.Request(to["url"], f, headers, method="PUT")).close()


def download(of):
    with send(urllib.request.Request(of["url"])) as response, open(plan, "wb") as f:
        shutil.copyfileobj(response, f, 1 << 20)
    if digest() != of["sha256"]:
        raise OSError("its SHA-256 is not the one of the plan")


# The CI job gets the same work again, and with it the token, which no step of a job knows.
job = {"run_id": env.get("GITHUB_RUN_ID") or env["CI_JOB_ID"], "sha": env.get("GITHUB_SHA") or env["CI_COMMIT_SHA"]}
token = ask("POST", "/initiate", job).get("token") or sys.exit("%s the plan: the run has ended" % action)
if action == "store":
    to = ask("POST", "/plans/upload", dict(place, size=os.path.getsize(plan), sha256=digest()), token)
    tried("upload", lambda: upload(to))
else:
    of = ask("GET", "/plans/download?" + urllib.parse.urlencode(place), token=token)
    tried("download", lambda: download(of))
