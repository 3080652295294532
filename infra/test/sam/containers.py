"""The containers around the functions: a network with a DynamoDB and an S3 server, and the image that functions run in."""

import base64
import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
import uuid

import boto3
import docker

from transformed import ROOT, resources, source

WORK = ROOT / ".tools" / "sam"
ARCH = os.environ.get("SAM_ARCH", "x86_64")

# The credentials that the local servers accept and that every client of them uses.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "localsecret", "AWS_REGION": "us-east-1"}

# "sam local" resolves the Ref of a table to its logical id. So the tables have their logical
# ids as names.
TABLES = {"TOKENS_TABLE": "TokensTable", "SIGNING_KEYS_TABLE": "SigningKeysTable", "OPERATIONS_TABLE": "OperationsTable",
          "DELIVERIES_TABLE": "DeliveriesTable", "AUDIT_TABLE": "AuditTable", "RUNS_TABLE": "RunsTable",
          "EVALUATION_TABLE": "EvaluationTable"}

# A bucket's name must be in lower case.
BUCKETS = {"KV_BUCKET": "kv-bucket", "AUDIT_BUCKET": "audit-bucket"}

AWS_IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCH}"
STANDIN_IMAGE = "opsplane-lambda:al2023"


def build_image(engine, tag, files, dockerfile):
    """An image of a few files (name in the image -> path here)."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, path in files.items():
            info = tar.gettarinfo(str(path), arcname=name)
            info.mode = 0o755
            with open(path, "rb") as f:
                tar.addfile(info, f)
        text = dockerfile.encode()
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    context.seek(0)
    image, _ = engine.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    return image


def function_image(engine):
    """Flags of "sam local" for the image that functions run in.

    AWS's own where it can be had. Else a stand-in: SAM adds the Lambda emulator to any base, and our functions are static
    binaries, so a shell with mv and chmod is all that it needs.
    """
    try:
        engine.images.get(AWS_IMAGE)
        return ["--skip-pull-image"]
    except docker.errors.ImageNotFound:
        pass
    try:
        engine.images.pull(AWS_IMAGE)
        return ["--skip-pull-image"]
    except docker.errors.APIError:
        pass
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit(f"{AWS_IMAGE} cannot be pulled, and a stand-in needs a static busybox: install busybox-static")
    build_image(engine, STANDIN_IMAGE, {"busybox": os.path.realpath(busybox)}, (
        "FROM scratch\nCOPY busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    ))
    return ["--invoke-image", STANDIN_IMAGE, "--skip-pull-image"]


def wait_for(url, seconds=20):
    """Waits until url answers HTTP, whatever the answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Servers:
    """A network with both servers, tables and bucket as the template declares them."""

    def __init__(self, engine, stack):
        self.engine = engine
        self.flags = function_image(engine)
        name = f"opsplane-{uuid.uuid4().hex[:8]}"
        self.network = engine.networks.create(name)
        stack.callback(self.remove)
        self.dynamodb = self.start(stack, "dynamodb", 8000, {"server": dynoxide()},
                                   ["serve", "--host", "0.0.0.0", "--port", "8000"])
        self.s3 = self.start(stack, "s3", 7070, {"server": WORK / "storage"}, ["serve-s3", "/data", "0.0.0.0:7070"])
        self.provision()

    def remove(self):
        """Removes the network, and containers of functions that outlived their command."""
        self.network.reload()
        for container in self.network.containers:
            container.remove(force=True, v=True)
        self.network.remove()
        # Our images, and the images that sam built from the stand-in. The layers of AWS's image
        # are kept for the next run.
        for image in self.engine.images.list():
            for tag in image.tags:
                if tag.startswith(("opsplane-local-", STANDIN_IMAGE.split(":")[0] + ":")):
                    self.engine.images.remove(tag, force=True)

    def start(self, stack, name, port, files, command):
        """Starts a static binary in a container; answers its address on this machine's loopback."""
        tag = f"opsplane-local-{name}"
        platform = "--platform=linux/amd64 " if name == "dynamodb" and ARCH == "arm64" else ""
        build_image(self.engine, tag, files, f'FROM {platform}scratch\nCOPY server /server\nWORKDIR /tmp\nENTRYPOINT ["/server"]\n')
        container = self.engine.containers.create(
            tag, command, name=f"{self.network.name}-{name}", ports={f"{port}/tcp": ("127.0.0.1", None)}, detach=True)
        stack.callback(container.remove, force=True, v=True)
        self.network.connect(container, aliases=[name])
        container.start()
        container.reload()
        url = f"http://127.0.0.1:{container.ports[f'{port}/tcp'][0]['HostPort']}"
        try:
            wait_for(url)
        except OSError:
            raise SystemExit(f"the {name} container does not answer:\n{container.logs(tail=20).decode()}") from None
        return url

    def provision(self):
        client = {"region_name": CREDENTIALS["AWS_REGION"], "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
                  "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
        db = boto3.client("dynamodb", endpoint_url=self.dynamodb, **client)
        creatable = ("BillingMode", "AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        for name, table in resources(source(), "AWS::DynamoDB::Table").items():
            db.create_table(TableName=name, **{k: v for k, v in table["Properties"].items() if k in creatable})
        for bucket in BUCKETS.values():
            boto3.client("s3", endpoint_url=self.s3, **client).create_bucket(Bucket=bucket)

    def session(self, user):
        """Begins a session of a user, as a login does; answers the text that opens it."""
        text = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        name = "SESSION#" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        now = {"N": str(int(time.time()))}
        db = boto3.client("dynamodb", endpoint_url=self.dynamodb, region_name=CREDENTIALS["AWS_REGION"],
                          aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
        db.put_item(TableName="SessionsTable", Item={
            "pk": {"S": name}, "sk": {"S": "SESSION"}, "user": {"S": user}, "vcs": {"S": "github"}, "created_at": now, "seen_at": now})
        return text

    def run(self):
        """Puts what the authorizer reads of a queued run; answers its id and its token."""
        run = str(uuid.uuid4())
        token = "opsr_" + run + "_" + base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        db = boto3.client("dynamodb", endpoint_url=self.dynamodb, region_name=CREDENTIALS["AWS_REGION"],
                          aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
        db.put_item(TableName="RunsTable", Item={
            "pk": {"S": "RUN#" + run}, "sk": {"S": "RUN"}, "state": {"S": "queued"}, "vcs": {"S": "github"}, "installation": {"S": "1"},
            "token_hash": {"B": hashlib.sha256(token.encode()).digest()}})
        return run, token

    def operator(self):
        """Variables with which an operator's command finds these tables."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb, "STACK": "", **TABLES}

    def admin(self, *args):
        """Runs an operator's command on these servers; answers what it prints."""
        result = subprocess.run([WORK / "admin", *args], env={**os.environ, **self.operator()}, capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"admin {' '.join(args)}: {result.stderr.strip()}")
        return result.stdout.strip()


def dynoxide():
    return WORK / "dynoxide" / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"


@contextlib.contextmanager
def servers():
    """Both servers, removed with all they hold at the end."""
    with contextlib.ExitStack() as stack:
        engine = docker.from_env()
        stack.callback(engine.close)
        yield Servers(engine, stack)
