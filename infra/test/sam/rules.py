"""What must be true of the transformed template. Each rule raises AssertionError, and says in its first line why it stands."""

import re

from transformed import resources

# The routes that respond without a credential. Every other route has the authorizer.
PUBLIC = {
    ("get", "/"),
    ("get", "/api/v1/server/config"),
    ("get", "/api/v1/{vcs}/client_id"),
    ("get", "/api/v1/openapi.json"),
    ("get", "/api/v1/{vcs}/login"),
    ("get", "/api/v1/{vcs}/callback"),
    ("get", "/api/github/v1/callback"),
    ("get", "/health"),
    ("head", "/health"),
    # A delivery itself proves where it comes from.
    ("post", "/api/github/v1/events"),
    ("post", "/api/v1/{vcs}/events"),
    # The id of a run is the credential.
    ("post", "/api/github/v1/work-manifests/{work_manifest_id}/initiate"),
    ("post", "/api/gitlab/v1/work-manifests/{work_manifest_id}/initiate"),
}

EMPTY = ""
TOO_MANY = '{"id":"TOO_MANY_REQUESTS","data":'
UNAVAILABLE = '{"id":"UNAVAILABLE","data":'
NO_ANSWER = '{"id":"NO_ANSWER","data":'

# Every response type of the gateway, with its status (None: the gateway's own status) and the
# start of its body.
RESPONSES = {
    "UNAUTHORIZED": ("403", EMPTY),
    "ACCESS_DENIED": ("403", EMPTY),
    "INVALID_API_KEY": ("403", EMPTY),
    "INVALID_SIGNATURE": ("403", EMPTY),
    "EXPIRED_TOKEN": ("403", EMPTY),
    "MISSING_AUTHENTICATION_TOKEN": ("404", EMPTY),
    "RESOURCE_NOT_FOUND": ("404", EMPTY),
    "AUTHORIZER_FAILURE": ("503", UNAVAILABLE),
    "AUTHORIZER_CONFIGURATION_ERROR": ("503", UNAVAILABLE),
    "API_CONFIGURATION_ERROR": ("500", EMPTY),
    "INTEGRATION_FAILURE": ("503", NO_ANSWER),
    "INTEGRATION_TIMEOUT": ("504", EMPTY),
    "BAD_REQUEST_BODY": ("400", '{"id":"BAD_REQUEST","data":'),
    "BAD_REQUEST_PARAMETERS": ("400", '{"id":"BAD_REQUEST","data":'),
    "UNSUPPORTED_MEDIA_TYPE": ("415", '{"id":"UNSUPPORTED_MEDIA_TYPE","data":'),
    "REQUEST_TOO_LARGE": ("413", '{"id":"REQUEST_TOO_LARGE","data":'),
    "THROTTLED": ("429", TOO_MANY),
    "QUOTA_EXCEEDED": ("429", TOO_MANY),
    "WAF_FILTERED": ("429", TOO_MANY),
    "DEFAULT_4XX": (None, '{"id":"BAD_REQUEST","data":'),
    "DEFAULT_5XX": ("503", NO_ANSWER),
}

FUNCTIONS = {"AuthorizerFunction", "TokensFunction", "IdentityFunction", "LoginFunction", "SystemFunction", "KvFunction", "CollectorFunction",
             "WebhooksFunction", "WorkerFunction", "InstallationsFunction", "RunsFunction", "CommandsFunction", "ExplainFunction", "HostsFunction", "RepositoriesFunction", "JobsFunction",
             "AuditorFunction", "AuditFunction", "ArchivistFunction", "RenewerFunction", "EraserFunction", "DispatcherFunction",
             "RunnerFunction", "PublisherFunction", "OrchestratorFunction"}

# Functions for whose result nobody waits at the gateway.
UNATTENDED = {"CollectorFunction", "WorkerFunction", "JobsFunction", "AuditorFunction", "ArchivistFunction", "RenewerFunction",
              "EraserFunction", "DispatcherFunction", "PublisherFunction", "OrchestratorFunction"}

# What each function may do apart from writing its own log: (action, resource, leading keys of
# the items, or None for all keys).
GRANTS = {
    "AuthorizerFunction": {
        ("dynamodb:GetItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:BatchGetItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:Query", "TokensTable.Arn", ("AUTHORITY", "REVOKED#*")),
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*",)),
        ("dynamodb:BatchGetItem", "OperationsTable.Arn", ("USER#*",)),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("SESSION#*",)),
        ("dynamodb:GetItem", "RunsTable.Arn", ("RUN#*",)),
    },
    "TokensFunction": {
        ("dynamodb:GetItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:PutItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:UpdateItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:ConditionCheckItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:PutItem", "TokensTable.Arn", ("REVOKED#*",)),
        ("dynamodb:Query", "${TokensTable.Arn}/index/by_name", ("USER#*",)),
        ("dynamodb:Query", "SigningKeysTable.Arn", ("SIGNING",)),
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*",)),
    },
    "IdentityFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("SESSION#*",)),
    },
    "LoginFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*", "IDENTITY#*", "RENEWAL#*")),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("USER#*", "USERNAME#*", "IDENTITY#*", "RENEWAL#*", "RENEWALS#*")),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("USER#*", "RENEWAL#*")),
        ("dynamodb:BatchGetItem", "OperationsTable.Arn", ("INSTALLATION#*",)),
        ("dynamodb:PutItem", "SessionsTable.Arn", ("SESSION#*", "STATE#*", "USER#*")),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("SESSION#*", "ADDRESS#*")),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubClientSecret", None),
        ("secretsmanager:GetSecretValue", "GitlabAppSecret", None),
    },
    "SystemFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("TASK#*", "HEALTH")),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:DeleteItem", "OperationsTable.Arn", ("TASKS",)),
        ("dynamodb:BatchGetItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:Query", "OperationsTable.Arn", ("USERTASKS#*",)),
    },
    "KvFunction": {
        ("dynamodb:GetItem", "KvTable.Arn", None),
        ("dynamodb:BatchGetItem", "KvTable.Arn", None),
        ("dynamodb:Query", "KvTable.Arn", None),
        ("dynamodb:PutItem", "KvTable.Arn", None),
        ("dynamodb:UpdateItem", "KvTable.Arn", None),
        ("dynamodb:Query", "${KvTable.Arn}/index/uploads", None),
        ("s3:GetObject", "${KvBucket.Arn}/github/*", None),
        ("s3:GetObject", "${KvBucket.Arn}/gitlab/*", None),
        ("s3:PutObject", "${KvBucket.Arn}/github/*", None),
        ("s3:PutObject", "${KvBucket.Arn}/gitlab/*", None),
        ("s3:ListMultipartUploadParts", "${KvBucket.Arn}/github/*", None),
        ("s3:ListMultipartUploadParts", "${KvBucket.Arn}/gitlab/*", None),
        ("s3:AbortMultipartUpload", "${KvBucket.Arn}/github/*", None),
        ("s3:AbortMultipartUpload", "${KvBucket.Arn}/gitlab/*", None),
        ("s3:ListBucket", "KvBucket.Arn", None),
    },
    "CollectorFunction": {
        ("dynamodb:Query", "KvTable.Arn", None),
        ("dynamodb:GetItem", "KvTable.Arn", None),
        ("dynamodb:BatchWriteItem", "KvTable.Arn", ("github:*:*", "gitlab:*:*")),
        ("dynamodb:DeleteItem", "KvTable.Arn", ("RETIRED:*",)),
        ("dynamodb:UpdateItem", "KvTable.Arn", ("UPLOAD:*", "UPLOADER:*", "NAMESPACE")),
        ("s3:DeleteObject", "${KvBucket.Arn}/github/*", None),
        ("s3:DeleteObject", "${KvBucket.Arn}/gitlab/*", None),
        ("s3:AbortMultipartUpload", "${KvBucket.Arn}/github/*", None),
        ("s3:AbortMultipartUpload", "${KvBucket.Arn}/gitlab/*", None),
        ("s3:GetObject", "${KvBucket.Arn}/collector/*", None),
        ("s3:PutObject", "${KvBucket.Arn}/collector/*", None),
        ("s3:ListBucket", "KvBucket.Arn", None),
    },
    "RunsFunction": {
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("IDX#*",)),
        ("dynamodb:GetItem", "RunsTable.Arn", ("REPO#*",)),
        ("s3:GetObject", "${RunsBucket.Arn}/results/*", None),
        ("s3:GetObject", "${RunsBucket.Arn}/texts/*", None),
        ("s3:PutObject", "${RunsBucket.Arn}/texts/*", None),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("STAND*",)),
        ("dynamodb:GetItem", "RunsTable.Arn", ("CHANGES#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("STAND*",)),
        ("s3:GetObject", "${RunsBucket.Arn}/changes/*", None),
    },
    "RunnerFunction": {
        ("dynamodb:GetItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:GetItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:UpdateItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:ConditionCheckItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("RUN#*", "REPO#*", "CI#*", "DUE#*", "IDX#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("REPO#*", "DUE#*", "IDX#*")),
        ("s3:GetObject", "${RunsBucket.Arn}/manifests/*", None),
        ("s3:GetObject", "${RunsBucket.Arn}/plans/*", None),
        ("s3:PutObject", "${RunsBucket.Arn}/plans/*", None),
        ("s3:PutObject", "${RunsBucket.Arn}/results/*", None),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
        ("s3:ListBucket", "RunsBucket.Arn", None),
    },
    "WebhooksFunction": {
        ("dynamodb:PutItem", "DeliveriesTable.Arn", ("ID#*", "github#*", "gitlab#*")),
        ("dynamodb:UpdateItem", "DeliveriesTable.Arn", ("github#*", "gitlab#*")),
        ("secretsmanager:GetSecretValue", "WebhookTokenSecret", None),
        ("secretsmanager:GetSecretValue", "GithubWebhookSecret", None),
    },
    "WorkerFunction": {
        ("dynamodb:DescribeStream", "DeliveriesTable.StreamArn", None),
        ("dynamodb:GetRecords", "DeliveriesTable.StreamArn", None),
        ("dynamodb:GetShardIterator", "DeliveriesTable.StreamArn", None),
        ("dynamodb:ListStreams", "*", None),
        ("dynamodb:GetItem", "DeliveriesTable.Arn", ("ID#*",)),
        ("dynamodb:UpdateItem", "DeliveriesTable.Arn", ("github#*", "gitlab#*")),
        ("dynamodb:Query", "${DeliveriesTable.Arn}/index/by_due", None),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("INSTALLATION#*",)),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("TASK#*", "TASKS", "INSTALLATIONTASKS#*")),
        ("dynamodb:UpdateItem", "VcsTable.Arn", ("REPOSITORIES#*", "PULLS#*")),
        ("dynamodb:ConditionCheckItem", "VcsTable.Arn", ("REPOSITORIES#*", "PULLS#*")),
        ("dynamodb:GetItem", "RunsTable.Arn", ("CI#*", "RUN#*")),
        ("dynamodb:Query", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:UpdateItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("REPO#*", "DUE#*", "IDX#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("REPO#*", "DUE#*", "IDX#*")),
        ("dynamodb:UpdateItem", "EvaluationTable.Arn", ("LANE#*",)),
        ("dynamodb:PutItem", "EvaluationTable.Arn", ("DUE",)),
    },
    "InstallationsFunction": {
        ("dynamodb:Query", "VcsTable.Arn", None),
        ("dynamodb:Query", "${VcsTable.Arn}/index/by_name", None),
        ("dynamodb:BatchGetItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("REPO#*",)),
    },
    "HostsFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*", "INSTALLATION#*", "RENEWAL#*")),
        ("dynamodb:BatchGetItem", "OperationsTable.Arn", ("INSTALLATION#*",)),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("USER#*", "INSTALLATION#*", "RENEWAL#*")),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("RENEWAL#*", "RENEWALS#*")),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("USER#*", "GROUP#*")),
        ("dynamodb:PutItem", "SessionsTable.Arn", ("USER#*", "GROUP#*")),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("USER#*", "GROUP#*")),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "WebhookTokenSecret", None),
        ("secretsmanager:GetSecretValue", "GithubClientSecret", None),
        ("secretsmanager:GetSecretValue", "GitlabAppSecret", None),
    },
    "RenewerFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*", "RENEWAL#*")),
        ("dynamodb:BatchGetItem", "OperationsTable.Arn", ("INSTALLATION#*",)),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("USER#*", "RENEWAL#*")),
        ("dynamodb:Query", "OperationsTable.Arn", ("RENEWALS#*",)),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("RENEWALS#*",)),
        ("dynamodb:DeleteItem", "OperationsTable.Arn", ("RENEWAL#*", "RENEWALS#*")),
        ("dynamodb:Query", "${TokensTable.Arn}/index/by_name", ("USER#*",)),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("USER#*",)),
        ("dynamodb:PutItem", "SessionsTable.Arn", ("USER#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("USER#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubClientSecret", None),
        ("secretsmanager:GetSecretValue", "GitlabAppSecret", None),
    },
    "AuditorFunction": {
        *((f"dynamodb:{action}", f"{table}.StreamArn", None)
          for action in ("DescribeStream", "GetRecords", "GetShardIterator")
          for table in ("TokensTable", "OperationsTable", "SessionsTable", "KvTable", "VcsTable", "RunsTable")),
        ("dynamodb:ListStreams", "*", None),
        ("dynamodb:PutItem", "AuditTable.Arn", None),
    },
    "AuditFunction": {
        ("dynamodb:Query", "AuditTable.Arn", None),
        ("dynamodb:Query", "${AuditTable.Arn}/index/by_actor", None),
        ("dynamodb:Query", "${AuditTable.Arn}/index/by_topic", None),
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*",)),
    },
    "ArchivistFunction": {
        ("dynamodb:DescribeStream", "AuditTable.StreamArn", None),
        ("dynamodb:GetRecords", "AuditTable.StreamArn", None),
        ("dynamodb:GetShardIterator", "AuditTable.StreamArn", None),
        ("dynamodb:ListStreams", "*", None),
        ("s3:PutObject", "${AuditBucket.Arn}/records/*", None),
    },
    "PublisherFunction": {
        ("dynamodb:DescribeStream", "AuditTable.StreamArn", None),
        ("dynamodb:GetRecords", "AuditTable.StreamArn", None),
        ("dynamodb:GetShardIterator", "AuditTable.StreamArn", None),
        ("dynamodb:ListStreams", "*", None),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("RUN#*",)) for action in ("GetItem", "Query")),
        *((f"dynamodb:{action}", "OperationsTable.Arn", ("EVENTS#*",)) for action in ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")),
        ("events:PutEvents", "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}", None),
    },
    "CommandsFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*",)),
        ("dynamodb:GetItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("RUN#*",)) for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("REPO#*",)) for action in ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")),
        ("dynamodb:PutItem", "RunsTable.Arn", ("RUNS#*", "RUNREPOS#*")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("IDEM#*",)) for action in ("GetItem", "PutItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("IDX#*",)) for action in ("Query", "PutItem", "DeleteItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("DUE#*",)) for action in ("PutItem", "DeleteItem")),
        ("s3:PutObject", "${RunsBucket.Arn}/manifests/*", None),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("STAND#*",)),
        ("dynamodb:UpdateItem", "EvaluationTable.Arn", ("LANE#*",)),
        ("dynamodb:PutItem", "EvaluationTable.Arn", ("DUE",)),
        ("dynamodb:Query", "RunsTable.Arn", ("STANDPR#*",)),
        ("dynamodb:GetItem", "EvaluationTable.Arn", ("LANE#*",)),
        ("dynamodb:BatchGetItem", "EvaluationTable.Arn", ("LANE#*",)),
        ("dynamodb:Query", "EvaluationTable.Arn", ("LOCKS#*",)),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        ("s3:GetObject", "${RunsBucket.Arn}/evaluations/*", None),
        ("s3:PutObject", "${RunsBucket.Arn}/evaluations/*", None),
        ("s3:GetObject", "${RunsBucket.Arn}/results/*", None),
    },
    "ExplainFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("USER#*",)),
        ("dynamodb:GetItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        *((f"dynamodb:{action}", "RunsTable.Arn", (keys,)) for action in ("GetItem", "Query") for keys in ("RUN#*", "REPO#*")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("STAND*",)) for action in ("BatchGetItem", "Query")),
        *((f"dynamodb:{action}", "EvaluationTable.Arn", ("LANE#*",)) for action in ("GetItem", "BatchGetItem")),
        ("dynamodb:Query", "EvaluationTable.Arn", ("LOCKS#*", "WAITING#*")),
        *(("s3:GetObject", f"${{RunsBucket.Arn}}/{folder}/*", None) for folder in ("evaluations", "results")),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
    },
    "RepositoriesFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("LAST#*", "TASK#*", "USER#*", "INSTALLATION#*")),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("LAST#*", "TASK#*", "TASKS", "USERTASKS#*", "INSTALLATIONTASKS#*")),
        ("dynamodb:GetItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:UpdateItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
        ("dynamodb:BatchGetItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:Query", "OperationsTable.Arn", ("INSTALLATIONTASKS#*",)),
    },
    "JobsFunction": {
        ("dynamodb:DescribeStream", "OperationsTable.StreamArn", None),
        ("dynamodb:GetRecords", "OperationsTable.StreamArn", None),
        ("dynamodb:GetShardIterator", "OperationsTable.StreamArn", None),
        ("dynamodb:ListStreams", "*", None),
        ("dynamodb:GetItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("TASK#*", "TASKS", "INSTALLATIONTASKS#*")),
        ("dynamodb:Query", "OperationsTable.Arn", ("TASKS",)),
        ("dynamodb:DeleteItem", "OperationsTable.Arn", ("TASKS",)),
        ("dynamodb:GetItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:Query", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:UpdateItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:DeleteItem", "VcsTable.Arn", ("PULLS#*",)),
        ("dynamodb:Query", "${VcsTable.Arn}/index/by_repository", ("PULLS#*",)),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("RUN#*",)) for action in ("GetItem", "Query", "UpdateItem", "DeleteItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("REPO#*",)) for action in ("Query", "PutItem", "UpdateItem", "DeleteItem")),
        ("dynamodb:Query", "RunsTable.Arn", ("RUNS#*", "RUNREPOS#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("RUNS#*", "RUNREPOS#*")),
        ("dynamodb:PutItem", "RunsTable.Arn", ("DUE#*", "IDX#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("DUE#*", "IDX#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("CI#*",)),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        *(("s3:DeleteObject", f"${{RunsBucket.Arn}}/{folder}/*", None) for folder in ("manifests", "plans", "results", "texts")),
        ("dynamodb:BatchWriteItem", "RunsTable.Arn", ("STAND*",)),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("CHANGES#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("CHANGES#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("STAND*",)),
        ("s3:DeleteObject", "${RunsBucket.Arn}/changes/*", None),
        *((f"dynamodb:{action}", "EvaluationTable.Arn", ("LANE#*", "LOCKS#*", "WAITING#*")) for action in ("Query", "DeleteItem")),
        ("dynamodb:DeleteItem", "EvaluationTable.Arn", ("LANES#*", "DUE", "CHECK")),
        ("s3:DeleteObject", "${RunsBucket.Arn}/evaluations/*", None),
    },
    "DispatcherFunction": {
        ("dynamodb:DescribeStream", "RunsTable.StreamArn", None),
        ("dynamodb:GetRecords", "RunsTable.StreamArn", None),
        ("dynamodb:GetShardIterator", "RunsTable.StreamArn", None),
        ("dynamodb:ListStreams", "*", None),
        ("dynamodb:GetItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:UpdateItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("RUN#*",)),
        ("dynamodb:GetItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:UpdateItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("DUE#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("DUE#*",)),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("DUE#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("IDX#*",)),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("IDX#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("CI#*",)),
        ("s3:DeleteObject", "${RunsBucket.Arn}/plans/*", None),
        ("s3:DeleteObject", "${RunsBucket.Arn}/manifests/*", None),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("REPO#*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("STAND*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("IDX#*",)),
        ("dynamodb:UpdateItem", "RunsTable.Arn", ("STAND*",)),
        ("s3:GetObject", "${RunsBucket.Arn}/results/*", None),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        ("dynamodb:UpdateItem", "EvaluationTable.Arn", ("LANE#*",)),
        ("dynamodb:PutItem", "EvaluationTable.Arn", ("DUE",)),
    },
    "OrchestratorFunction": {
        ("dynamodb:DescribeStream", "EvaluationTable.StreamArn", None),
        ("dynamodb:GetRecords", "EvaluationTable.StreamArn", None),
        ("dynamodb:GetShardIterator", "EvaluationTable.StreamArn", None),
        ("dynamodb:ListStreams", "*", None),
        *((f"dynamodb:{action}", "EvaluationTable.Arn", ("LANE#*",))
          for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")),
        ("dynamodb:PutItem", "EvaluationTable.Arn", ("LANES#*",)),
        *((f"dynamodb:{action}", "EvaluationTable.Arn", ("LOCKS#*", "WAITING#*", "DUE", "CHECK")) for action in ("Query", "PutItem", "DeleteItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("RUN#*",)) for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("REPO#*",))
          for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")),
        ("dynamodb:PutItem", "RunsTable.Arn", ("RUNS#*", "RUNREPOS#*")),
        ("dynamodb:BatchGetItem", "RunsTable.Arn", ("STAND*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("STAND*",)),
        ("dynamodb:PutItem", "RunsTable.Arn", ("CHANGES#*",)),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("IDX#*",)) for action in ("Query", "PutItem", "DeleteItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("DUE#*",)) for action in ("PutItem", "DeleteItem")),
        ("s3:PutObject", "${RunsBucket.Arn}/manifests/*", None),
        ("s3:PutObject", "${RunsBucket.Arn}/changes/*", None),
        ("s3:GetObject", "${RunsBucket.Arn}/evaluations/*", None),
        ("s3:PutObject", "${RunsBucket.Arn}/evaluations/*", None),
        ("s3:GetObject", "${RunsBucket.Arn}/results/*", None),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        ("dynamodb:GetItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("GROUP#*",)),
        ("secretsmanager:GetSecretValue", "ServerSecret", None),
        ("secretsmanager:GetSecretValue", "GithubAppPrivateKey", None),
    },
    "EraserFunction": {
        ("dynamodb:GetItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("TASK#*",)),
        ("dynamodb:Query", "OperationsTable.Arn", ("ERASURES",)),
        ("dynamodb:PutItem", "OperationsTable.Arn", ("ERASURES",)),
        ("dynamodb:DeleteItem", "OperationsTable.Arn", ("ERASURES",)),
        ("dynamodb:UpdateItem", "OperationsTable.Arn", ("USER#*", "INSTALLATION#*")),
        ("dynamodb:DeleteItem", "OperationsTable.Arn", ("USER#*", "INSTALLATION#*")),
        ("dynamodb:DeleteItem", "OperationsTable.Arn", ("USERNAME#*", "IDENTITY#*", "RENEWAL#*", "RENEWALS#*")),
        ("dynamodb:GetItem", "OperationsTable.Arn", ("RENEWAL#*",)),
        ("dynamodb:Query", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:UpdateItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:DeleteItem", "TokensTable.Arn", ("USER#*",)),
        ("dynamodb:PutItem", "TokensTable.Arn", ("REVOKED#*",)),
        ("dynamodb:UpdateItem", "SessionsTable.Arn", ("USER#*", "GROUP#*")),
        ("dynamodb:DeleteItem", "SessionsTable.Arn", ("USER#*", "GROUP#*")),
        ("dynamodb:Query", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:UpdateItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:DeleteItem", "VcsTable.Arn", ("REPOSITORIES#*",)),
        ("dynamodb:Query", "VcsTable.Arn", ("PULLS#*",)),
        ("dynamodb:DeleteItem", "VcsTable.Arn", ("PULLS#*",)),
        ("dynamodb:Query", "DeliveriesTable.Arn", ("github#*", "gitlab#*")),
        ("dynamodb:DeleteItem", "DeliveriesTable.Arn", ("github#*", "gitlab#*")),
        ("dynamodb:DeleteItem", "DeliveriesTable.Arn", ("ID#*",)),
        ("dynamodb:GetItem", "KvTable.Arn", ("github:*", "gitlab:*")),
        ("dynamodb:Query", "KvTable.Arn", ("github:*", "gitlab:*")),
        ("dynamodb:UpdateItem", "KvTable.Arn", ("github:*", "gitlab:*")),
        ("dynamodb:DeleteItem", "KvTable.Arn", ("github:*", "gitlab:*")),
        ("dynamodb:PutItem", "KvTable.Arn", ("RETIRED:*",)),
        ("dynamodb:GetItem", "KvTable.Arn", ("UPLOAD:*",)),
        ("dynamodb:Query", "KvTable.Arn", ("UPLOAD:*",)),
        ("dynamodb:UpdateItem", "KvTable.Arn", ("UPLOAD:*",)),
        ("s3:AbortMultipartUpload", "${KvBucket.Arn}/github/*", None),
        ("s3:AbortMultipartUpload", "${KvBucket.Arn}/gitlab/*", None),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("RUN#*",)) for action in ("GetItem", "Query", "UpdateItem", "DeleteItem")),
        *((f"dynamodb:{action}", "RunsTable.Arn", ("REPO#*",)) for action in ("Query", "PutItem", "UpdateItem", "DeleteItem")),
        ("dynamodb:Query", "RunsTable.Arn", ("RUNS#*", "RUNREPOS#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("RUNS#*", "RUNREPOS#*")),
        ("dynamodb:PutItem", "RunsTable.Arn", ("DUE#*", "IDX#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("DUE#*", "IDX#*")),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("CI#*",)),
        ("s3:ListBucket", "RunsBucket.Arn", None),
        *(("s3:DeleteObject", f"${{RunsBucket.Arn}}/{folder}/*", None) for folder in ("manifests", "plans", "results", "texts")),
        ("dynamodb:BatchWriteItem", "RunsTable.Arn", ("STAND*",)),
        ("dynamodb:DeleteItem", "RunsTable.Arn", ("CHANGES#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("CHANGES#*",)),
        ("dynamodb:Query", "RunsTable.Arn", ("STAND*",)),
        ("s3:DeleteObject", "${RunsBucket.Arn}/changes/*", None),
        *((f"dynamodb:{action}", "EvaluationTable.Arn", ("LANE#*", "LANES#*", "LOCKS#*", "WAITING#*")) for action in ("Query", "DeleteItem")),
        ("dynamodb:DeleteItem", "EvaluationTable.Arn", ("DUE", "CHECK")),
        ("s3:DeleteObject", "${RunsBucket.Arn}/evaluations/*", None),
    },
}

# Writes that must not return the old item, because the function may not read it. (function,
# table)
BLIND_WRITES = {
    ("IdentityFunction", "SessionsTable.Arn"), ("LoginFunction", "SessionsTable.Arn"), ("WebhooksFunction", "DeliveriesTable.Arn"),
    ("WorkerFunction", "VcsTable.Arn"), ("AuditorFunction", "AuditTable.Arn"),
    ("WorkerFunction", "EvaluationTable.Arn"), ("CommandsFunction", "EvaluationTable.Arn"), ("DispatcherFunction", "EvaluationTable.Arn"),
}

# The attributes that a function may name in an update, if they are not all attributes.
ATTRIBUTES = {
    ("IdentityFunction", "SessionsTable.Arn"): ["pk", "sk", "seen_at", "ended_at", "ttl", "ch_by", "ch_cred", "ch_req", "ch_src", "ch_at"],
    ("AuthorizerFunction", "RunsTable.Arn"): ["pk", "sk", "token_hash", "state", "vcs", "installation"],
}

# Reads that must name the attributes. (function, table)
CHOSEN_READS = {("AuthorizerFunction", "RunsTable.Arn")}

# The functions that may remove anything at all.
REMOVERS = {"CollectorFunction", "JobsFunction", "RenewerFunction", "EraserFunction", "DispatcherFunction", "RunnerFunction", "WorkerFunction",
            "CommandsFunction", "SystemFunction", "PublisherFunction", "OrchestratorFunction"}

TABLES = {
    "TokensTable": {"pk": "S", "sk": "S", "by_name": "S"},
    "SigningKeysTable": {"pk": "S", "sk": "S"},
    "OperationsTable": {"pk": "S", "sk": "S"},
    "SessionsTable": {"pk": "S", "sk": "S"},
    "KvTable": {"pk": "S", "sk": "B", "uw": "S", "ux": "S"},
    "DeliveriesTable": {"pk": "S", "sk": "S", "due_in": "S", "due": "N"},
    "VcsTable": {"pk": "S", "sk": "S", "by_name": "S", "by_repository": "S"},
    "RunsTable": {"pk": "S", "sk": "S"},
    "EvaluationTable": {"pk": "S", "sk": "S"},
    "AuditTable": {"pk": "S", "sk": "S", "actor": "S", "topic": "S"},
}


def equal(got, want, what):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def api(template):
    return template["Resources"]["Api"]["Properties"]


def stage(template):
    (found,) = resources(template, "AWS::ApiGateway::Stage").values()
    return found["Properties"]


def authorizer_asks_each_time(template):
    """A revoked key must stop at once, and a policy made for one path must never be reused for another."""
    (name, scheme), *others = api(template)["Body"]["components"]["securitySchemes"].items()
    equal((name, others), ("Credentials", []), "authorizers")
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    equal(authorizer["type"], "request", "authorizer type")
    equal(authorizer["authorizerResultTtlInSeconds"], 0, "seconds that an answer is reused")
    # A source of identity that is named must be in every request. But a credential may be in a
    # header or in a cookie.
    equal(authorizer.get("identitySource"), None, "identity source")
    assert "AuthorizerFunction" in str(authorizer["authorizerUri"]), "another function authorizes"


def every_route_is_authorized(template):
    """A route without the authorizer is open to the world; the list of those is short and written."""
    public = set()
    for path, methods in api(template)["Body"]["paths"].items():
        for method, operation in methods.items():
            equal(operation["x-amazon-apigateway-integration"]["type"], "aws_proxy", f"{method} {path}")
            if operation["security"] == [{"NONE": []}]:
                public.add((method, path))
            else:
                equal(operation["security"], [{"Credentials": []}], f"security of {method} {path}")
    equal(public, PUBLIC, "routes without an authorizer")


def gateway_responses_say_nothing_of_the_insides(template):
    """Clients refresh on 403 with an empty body alone, and the gateway's own words name its insides."""
    responses = api(template)["Body"]["x-amazon-apigateway-gateway-responses"]
    equal(set(responses), set(RESPONSES), "response types")
    for name, (status, body) in RESPONSES.items():
        equal(responses[name].get("statusCode"), status, f"status of {name}")
        (kind, text), = responses[name]["responseTemplates"].items()
        equal(kind, "application/json", f"media type of {name}")
        assert text.startswith(body) if body else text == "", f"body of {name}: {text!r}"
        assert "$" not in text and "#" not in text, f"{name} has variables, or words of a template language the gateway does not run"
        if status in ("429", "503"):
            assert "gatewayresponse.header.Retry-After" in responses[name]["responseParameters"], f"{name} lacks Retry-After"
    assert "split a value" in responses["REQUEST_TOO_LARGE"]["responseTemplates"]["application/json"]


def requests_are_throttled(template):
    """Exchanging a key must not be a way to guess keys; every other method has a ceiling too."""
    settings = {(s["HttpMethod"], s["ResourcePath"]): s for s in stage(template)["MethodSettings"]}
    equal(set(settings), {("*", "/*"), ("POST", "/~1api~1v1~1access-token~1refresh")}, "throttled methods")
    for key, prefix in zip(settings, ("Api", "Refresh")):
        equal(settings[key]["ThrottlingRateLimit"], {"Ref": prefix + "RateLimit"}, f"rate of {key}")
        equal(settings[key]["ThrottlingBurstLimit"], {"Ref": prefix + "BurstLimit"}, f"burst of {key}")
    acl = template["Resources"]["WebAcl"]
    equal(acl["Condition"], "HasWaf", "when there is a web ACL")
    rules = [rule["Fn::If"] for rule in acl["Properties"]["Rules"]]
    equal([(condition, rule["Statement"]["RateBasedStatement"]["Limit"], rule["Statement"]["RateBasedStatement"]["AggregateKeyType"])
           for condition, rule, _ in rules],
          [("HasWafRefreshLimit", {"Ref": "WafRefreshLimit"}, "IP"), ("HasWafRequestLimit", {"Ref": "WafRequestLimit"}, "IP")],
          "rates of the web ACL, by address")
    equal(template["Resources"]["WebAclAssociation"]["Condition"], "HasWaf", "when the web ACL is in front of the API")


def no_log_holds_a_credential(template):
    """Execution logs and data traces write headers; the access log writes of them only the request id that a caller may choose."""
    for setting in stage(template)["MethodSettings"]:
        equal(setting["LoggingLevel"], "OFF", "execution log")
        equal(setting["DataTraceEnabled"], False, "data trace")
    condition, log, _ = stage(template)["AccessLogSetting"]["Fn::If"]
    equal(condition, "HasAccessLogs", "when there is an access log")
    fields = set(re.findall(r"\$context\.([a-zA-Z.]+)", log["Format"]))
    equal(fields, {
        "requestId", "extendedRequestId", "requestTime", "identity.sourceIp", "httpMethod", "resourcePath", "status",
        "responseLength", "responseLatency", "integration.requestId", "integration.status", "integration.latency",
        "authorizer.status", "authorizer.latency", "authorizer.principalId", "error.responseType",
    }, "fields of the access log")


def logs_end(template):
    """A log that is kept for ever costs for ever."""
    groups = resources(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        equal(group["Properties"]["RetentionInDays"], {"Ref": "LogRetentionDays"}, f"retention of {name}")
    for name, function in resources(template, "AWS::Lambda::Function").items():
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        equal(group, name.replace("Function", "LogGroup"), f"log group of {name}")
        assert group in groups, f"{name} logs to a group of its own making"


def functions_are_built_alike(template):
    """One runtime and one architecture, and each function that it waits for ends before the gateway stops to (29 s)."""
    functions = resources(template, "AWS::Lambda::Function")
    equal(set(functions), FUNCTIONS, "functions")
    for name, function in functions.items():
        p = function["Properties"]
        equal(p["Runtime"], "provided.al2023", f"runtime of {name}")
        equal(p["Architectures"], [{"Ref": "Architecture"}], f"architecture of {name}")
        assert name in UNATTENDED or p["Timeout"] < 29, f"{name} may outlive the gateway's patience"
        assert "ReservedConcurrentExecutions" not in p, f"{name} takes from the account's concurrency"
        for variable in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"):
            equal(p["Environment"]["Variables"][variable], "", f"{variable} of {name}")


def name_of(resource):
    """A resource of a policy, as the tables above write it."""
    if isinstance(resource, str):
        return resource
    if "Fn::If" in resource:  # a secret, by its ARN or by its name
        return name_of(resource["Fn::If"][1])
    if "Fn::GetAtt" in resource:
        return ".".join(resource["Fn::GetAtt"])
    return resource.get("Ref") or resource["Fn::Sub"]


def listed(value):
    return value if isinstance(value, list) else [value]


def grants(template, function):
    """The permissions of a function's role, less those every function has."""
    role = template["Resources"][template["Resources"][function]["Properties"]["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert "ManagedPolicyArns" not in role, f"{function} has a managed policy"
    found = set()
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if "Fn::If" in statement:
                condition, statement, _ = statement["Fn::If"]
                if condition in ("HasGithubWebhookSecret", "HasGithubAppPrivateKey", "HasGithubClient", "HasGitlabApp", "HasEventBus"):
                    found |= {(statement["Action"], name_of(statement["Resource"]), None)}
                    continue
                equal(condition, "HasTracing", f"condition in the policy of {function}")
                equal(statement["Action"], ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], f"tracing of {function}")
                continue
            equal(statement["Effect"], "Allow", f"effect in the policy of {function}")
            keys = None
            conditions = dict(statement.get("Condition", {}))
            like = conditions.pop("ForAllValues:StringLike", {})
            if like:
                keys = tuple(like["dynamodb:LeadingKeys"])
            at = (function, name_of(listed(statement["Resource"])[0]))
            attributes = like.get("dynamodb:Attributes")
            equal(attributes, ATTRIBUTES.get(at) if attributes or "dynamodb:UpdateItem" in listed(statement["Action"]) else None,
                  f"attributes of {at}")
            writes = {"dynamodb:PutItem", "dynamodb:UpdateItem"} & set(listed(statement["Action"]))
            returns = conditions.pop("StringEqualsIfExists", None)
            if at in CHOSEN_READS:
                equal(returns, {"dynamodb:Select": ["SPECIFIC_ATTRIBUTES"]}, f"what a read selects of {at}")
            elif returns or writes and at in BLIND_WRITES:
                equal(returns, {"dynamodb:ReturnValues": ["NONE"]}, f"what a write hands back of {at}")
            equal(conditions, {}, f"other conditions of {at}")
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    found.add((action, name_of(resource), keys))
    group = function.replace("Function", "LogGroup") + ".Arn"
    own = {("logs:CreateLogStream", group, None), ("logs:PutLogEvents", group, None)}
    assert own <= found, f"{function} cannot write its log"
    return found - own


def functions_may_do_what_is_written(template):
    """The table of grants is the review: a policy that grows must grow here too."""
    for function, want in GRANTS.items():
        got = grants(template, function)
        assert got == want, f"{function} may beyond the table: {got - want}; may not though written: {want - got}"
        for action, _, _ in got:
            assert "*" not in action, f"{function} may {action}"
            assert not re.search(r"Scan|PartiQL", action), f"{function} may {action}"
            assert function in REMOVERS or not re.search(r"Delete|BatchWrite", action), f"{function} may {action}"


def audit_trail_is_only_added_to(template):
    """A trail that a function could change would prove nothing."""
    for function in FUNCTIONS:
        for action, resource, _ in grants(template, function):
            if "AuditTable.Arn" in resource or "AuditBucket" in resource:
                writes = {"AuditorFunction": "dynamodb:PutItem", "ArchivistFunction": "s3:PutObject"}
                assert action in (writes.get(function), "dynamodb:Query"), f"{function} may {action} the audit trail"


def somebody_is_told(template):
    """Nobody waits for these functions, so that nobody would notice; and what a stream told a day ago is lost."""
    alarms = {name: alarm["Properties"] for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items()}
    watched = {(a["MetricName"], d["Value"]["Ref"]) for a in alarms.values() for d in a.get("Dimensions", [])}
    for name, alarm in alarms.items():
        equal(alarm["AlarmActions"], [{"Ref": "AlarmTopic"}], f"whom {name} tells")
        equal(alarm["TreatMissingData"], "notBreaching", f"{name} where nothing happens")
    for function in UNATTENDED:
        assert ("Errors", function) in watched, f"nobody is told when {function} crashes"
    for mapping in resources(template, "AWS::Lambda::EventSourceMapping").values():
        function = mapping["Properties"]["FunctionName"]["Ref"]
        assert ("IteratorAge", function) in watched, f"nobody is told when {function} is behind its stream"


def tables_keep_data(template):
    """Nothing is lost by deleting the stack, nor within the 35 days of point-in-time recovery; every change is announced."""
    tables = resources(template, "AWS::DynamoDB::Table")
    equal(set(tables), set(TABLES), "tables")
    for name, table in tables.items():
        p = table["Properties"]
        equal((table["DeletionPolicy"], table["UpdateReplacePolicy"]), ("Retain", "Retain"), f"deletion of {name}")
        equal(p["DeletionProtectionEnabled"], True, f"deletion protection of {name}")
        equal({a["AttributeName"]: a["AttributeType"] for a in p["AttributeDefinitions"]}, TABLES[name], f"attributes of {name}")
        equal(p["BillingMode"], "PAY_PER_REQUEST", f"billing of {name}")
        # A private signing key must not be recoverable after its removal.
        forgets = name == "SigningKeysTable"
        equal(p["PointInTimeRecoverySpecification"], {"PointInTimeRecoveryEnabled": not forgets}, f"recovery of {name}")
        equal(p["SSESpecification"], {"SSEEnabled": True, "SSEType": "KMS"}, f"encryption of {name}")
        equal(p["TimeToLiveSpecification"], {"AttributeName": "ttl", "Enabled": True}, f"expiry of {name}")
        equal(p.get("StreamSpecification"), None if forgets else {"StreamViewType": "NEW_AND_OLD_IMAGES"}, f"stream of {name}")


def buckets_are_private(template):
    """Nobody reads a bucket but through the functions, and never in the clear."""
    buckets = resources(template, "AWS::S3::Bucket")
    equal(set(buckets), {"KvBucket", "RunsBucket", "AuditBucket"}, "buckets")
    for name, bucket in buckets.items():
        bucket_is_private(template, name, bucket)
    rules = [r for r in buckets["KvBucket"]["Properties"]["LifecycleConfiguration"]["Rules"] if r["Status"] == "Enabled"]
    equal([r["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] for r in rules], [{"Ref": "UnfinishedUploadDays"}],
          "days that an unfinished upload is kept")
    runs = buckets["RunsBucket"]["Properties"]
    equal("VersioningConfiguration" in runs, False, "versions of plans, which must not outlive their removal")
    equal({r.get("Prefix", ""): r["ExpirationInDays"] for r in runs["LifecycleConfiguration"]["Rules"] if r["Status"] == "Enabled"},
          {"": {"Ref": "RunRetentionDays"}, "plans/": {"Ref": "PlanRetentionDays"}, "texts/": 1, "evaluations/": 30}, "days of runs")
    archive = buckets["AuditBucket"]["Properties"]
    equal(archive["VersioningConfiguration"], {"Status": "Enabled"}, "versions of the archive")
    equal([r["ExpirationInDays"] for r in archive["LifecycleConfiguration"]["Rules"]], [{"Ref": "AuditArchiveDays"}], "days of the archive")


def bucket_is_private(template, name, bucket):
    p = bucket["Properties"]
    equal((bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]), ("Retain", "Retain"), f"deletion of {name}")
    equal(p["PublicAccessBlockConfiguration"], {
        "BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True,
    }, f"public access block of {name}")
    (rule,) = p["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    equal(rule["ServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"}, f"encryption of {name}")
    policy = template["Resources"][name + "Policy"]
    denials = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
    conditions = []
    for s in denials:
        equal((s["Principal"], s["Action"]), ("*", "s3:*"), "who is denied what")
        equal([name_of(r) for r in s["Resource"]], [f"{name}.Arn", "${" + name + ".Arn}/*"], "where")
        conditions.append(s["Condition"])
    equal(conditions, [{"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}], f"denials of {name}")


RULES = [
    authorizer_asks_each_time,
    every_route_is_authorized,
    gateway_responses_say_nothing_of_the_insides,
    requests_are_throttled,
    no_log_holds_a_credential,
    logs_end,
    functions_are_built_alike,
    functions_may_do_what_is_written,
    audit_trail_is_only_added_to,
    somebody_is_told,
    tables_keep_data,
    buckets_are_private,
]
