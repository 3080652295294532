"""Asserts what linters miss, on the template as SAM transforms it, and that each assertion can fail."""

import functools

import pytest
from samtranslator.model.exceptions import InvalidDocumentException

import rules
from transformed import source, transformed


@pytest.fixture(scope="session")
def template():
    return transformed(source())


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_template(template, rule):
    rule(template)


def at(document, path):
    """The value at a path such as Resources.Api.Properties; numbers index lists."""
    return functools.reduce(lambda node, key: node[int(key) if isinstance(node, list) else key], path, document)


def put(path, value):
    *parents, last = path.split("/")

    def mutate(document):
        node = at(document, parents)
        node[int(last) if isinstance(node, list) else last] = value

    return mutate


def drop(path):
    *parents, last = path.split("/")

    def mutate(document):
        node = at(document, parents)
        del node[int(last) if isinstance(node, list) else last]

    return mutate


def granted(document, role, sid):
    """A statement of a role's policy, by its Sid."""
    statements = at(document, ["Resources", role, "Properties", "Policies", 0, "PolicyDocument", "Statement"])
    (found,) = [s for s in statements if s.get("Sid") == sid]
    return found


API = "Resources/Api/Properties"
AUTHORIZER = API + "/Auth/Authorizers/Credentials"
KV = "Resources/KvRole/Properties/Policies/0/PolicyDocument/Statement"

# One mistake each: the rule that must find it, and how it is made.
MISTAKES = {
    "cached authorizer": (rules.authorizer_asks_each_time, put(AUTHORIZER + "/Identity/ReauthorizeEvery", 300)),
    "cache left at its default": (rules.authorizer_asks_each_time, drop(AUTHORIZER + "/Identity/ReauthorizeEvery")),
    "misspelt cache time": (rules.authorizer_asks_each_time, lambda d: (
        drop(AUTHORIZER + "/Identity/ReauthorizeEvery")(d), put(AUTHORIZER + "/Identity/ReauthoriseEvery", 0)(d))),
    "other identity header": (rules.authorizer_asks_each_time, put(AUTHORIZER + "/Identity/Headers", ["X-Token"])),
    "open route": (rules.every_route_is_authorized,
                   put("Resources/KvFunction/Properties/Events/Get/Properties/Auth", {"Authorizer": "NONE"})),
    "closed health": (rules.every_route_is_authorized, drop("Resources/SystemFunction/Properties/Events/Health/Properties/Auth")),
    "401": (rules.gateway_responses_say_nothing_of_the_insides, put(API + "/GatewayResponses/UNAUTHORIZED/StatusCode", 401)),
    "words in a refusal": (rules.gateway_responses_say_nothing_of_the_insides,
                           put(API + "/GatewayResponses/ACCESS_DENIED/ResponseTemplates",
                               {"application/json": '{"message":$context.error.messageString}'})),
    "undecided response": (rules.gateway_responses_say_nothing_of_the_insides, drop(API + "/GatewayResponses/DEFAULT_5XX")),
    "no word when to come back": (rules.gateway_responses_say_nothing_of_the_insides,
                                  drop(API + "/GatewayResponses/INTEGRATION_FAILURE/ResponseParameters/Headers/Retry-After")),
    "unthrottled refresh": (rules.requests_are_throttled, drop(API + "/MethodSettings/1")),
    "data trace": (rules.no_log_holds_a_credential, put(API + "/MethodSettings/0/DataTraceEnabled", True)),
    "logged path": (rules.no_log_holds_a_credential, put(API + "/AccessLogSetting/Fn::If/1/Format", "$context.path")),
    "endless log": (rules.logs_end, drop("Resources/KvLogGroup/Properties/RetentionInDays")),
    "slow function": (rules.functions_are_built_alike, put("Resources/KvFunction/Properties/Timeout", 30)),
    "scan": (rules.functions_may_do_what_is_written, lambda d: at(d, KV.split("/"))[2]["Action"].append("dynamodb:Scan")),
    "wildcard": (rules.functions_may_do_what_is_written, put(KV + "/2/Action", "dynamodb:*")),
    "every bucket": (rules.functions_may_do_what_is_written, put(KV + "/4/Resource", {"Fn::Sub": "arn:aws:s3:::*"})),
    "unbounded partition keys": (rules.functions_may_do_what_is_written,
                                 drop("Resources/AuthorizerRole/Properties/Policies/0/PolicyDocument/Statement/2/Condition")),
    "collector of records": (rules.functions_may_do_what_is_written,
                             put("Resources/CollectorRole/Properties/Policies/0/PolicyDocument/Statement/3/Condition",
                                 {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["github:*"]}})),
    "verification keys by the function that makes tokens": (
        rules.functions_may_do_what_is_written,
        lambda d: granted(d, "TokensRole", "AnnounceRevocations")["Condition"]["ForAllValues:StringLike"].update(
            {"dynamodb:LeadingKeys": ["AUTHORITY"]})),
    "sessions handed back by a write": (rules.functions_may_do_what_is_written,
                                        lambda d: granted(d, "IdentityRole", "KeepSessions")["Condition"].pop("StringEqualsIfExists")),
    "owner of a session": (rules.functions_may_do_what_is_written,
                           lambda d: granted(d, "IdentityRole", "KeepSessions")["Condition"]["ForAllValues:StringLike"].pop(
                               "dynamodb:Attributes")),
    "removal by another": (rules.functions_may_do_what_is_written,
                           lambda d: granted(d, "KvRole", "KeepBodies")["Action"].append("s3:DeleteObject")),
    "managed policy": (rules.functions_may_do_what_is_written,
                       put("Resources/KvRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonS3FullAccess"])),
    "role of SAM's own making": (rules.functions_may_do_what_is_written, drop("Resources/SystemFunction/Properties/Role")),
    "no recovery": (rules.tables_keep_data, drop("Resources/KvTable/Properties/PointInTimeRecoverySpecification")),
    "new images only": (rules.tables_keep_data,
                        put("Resources/TokensTable/Properties/StreamSpecification/StreamViewType", "NEW_IMAGE")),
    "deleted with the stack": (rules.tables_keep_data, put("Resources/KvTable/DeletionPolicy", "Delete")),
    "public bucket": (rules.buckets_are_private,
                      put("Resources/KvBucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False)),
    "plain HTTP": (rules.buckets_are_private, drop("Resources/KvBucketPolicy/Properties/PolicyDocument/Statement/0")),
    "plans with versions": (rules.buckets_are_private, put("Resources/RunsBucket/Properties/VersioningConfiguration", {"Status": "Enabled"})),
    "plans for ever": (rules.buckets_are_private, drop("Resources/RunsBucket/Properties/LifecycleConfiguration/Rules/1")),
    "archive without versions": (rules.buckets_are_private, drop("Resources/AuditBucket/Properties/VersioningConfiguration")),
    "function that crashes unnoticed": (rules.somebody_is_told, drop("Resources/JobsErrorsAlarm")),
    "stream that nobody follows": (rules.somebody_is_told, put("Resources/AuditorBehindAlarm/Properties/MetricName", "Duration")),
    "alarm for nobody": (rules.somebody_is_told, drop("Resources/DeliveriesStuckAlarm/Properties/AlarmActions")),
    "audit trail that a function may change": (
        rules.audit_trail_is_only_added_to,
        lambda d: at(d, "Resources/AuditorRole/Properties/Policies/0/PolicyDocument/Statement".split("/"))[-1].update(
            Action=["dynamodb:PutItem", "dynamodb:DeleteItem"])),
}


@pytest.mark.parametrize("rule, mutate", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_noticed(rule, mutate):
    document = source()
    mutate(document)
    # SAM itself refuses a cache for an authorizer that names no source of identity.
    with pytest.raises((AssertionError, KeyError, InvalidDocumentException)):
        rule(transformed(document))
