"""Where a general check asks more than this API promises, and why. Everything else that schemathesis finds is a finding."""

from schemathesis.core.failures import AcceptedNegativeData, MalformedJson
from schemathesis.openapi.checks import RejectedPositiveData

from memory import operation_id

# Rules for requests that a schema cannot express. So a request can satisfy the schema and still
# be refused. Each entry has the id of the refusal and the possible starts of its text, because
# the id may have other uses.
UNSAYABLE = {
    "INVALID_CURSOR": ("",),  # a cursor is one that an answer has given
    "INVALID_PARAMETER": (
        "query parameter page ",  # so is a page
        "query parameters vcs and ",  # one without the other
        "query parameters key, repository and run ",  # one and another
        "keys, repositories and runs are those of an installation",
        "query parameter from must be before ",
        "query parameter action ",  # the kinds of records, and a dot
        "the query parameters path and workspace ",  # path has a second name, dir
    ),
    # The grammar of a tag query, the tags of each list, and the time zones of IANA.
    "PARSE_ERROR": ("",),
    "UNKNOWN_TAG": ("",),
    "INVALID_ID": ("",),
    "INVALID_NUMBER": ("",),
    "IN_DIR_NOT_SUPPORTED": ("",),
    "BAD_DATE_FORMAT": ("",),
    "BAD_DURATION_FORMAT": ("",),
    "UNKNOWN_TIME_ZONE": ("",),
    "UPDATED_SINCE_TOO_OLD": ("",),  # in the last day
    # Texts of runs that hosts and terraform could not use, and dirspaces that the run has not.
    "INVALID_BRANCH": ("",),
    "INVALID_ENVIRONMENT": ("",),
    "INVALID_RUNS_ON": ("",),
    "INVALID_DIRSPACE": ("",),
    "RUNS_NOT_CONFIGURED": ("",),
    # The forms of results, of which the document has none.
    "INVALID_RESULT": ("",),
    # These depend on what exists, and on what the hosts state about it.
    "REPO_NOT_FOUND": ("",),
    "REPO_NOT_ARCHIVED": ("",),
    "NO_ACCOUNT": ("",),
    "VCS_NOT_CONFIGURED": ("",),
    "NO_ACCESS_TOKEN": ("",),
    "INVALID_ACCESS_TOKEN": ("",),
    "LOGIN_REFUSED": ("",),
    "LOGIN_NOT_BEGUN": ("",),
    "INVALID_INSTALLATION_ID": ("",),  # a number, of which some are no ids
    # Characters that cannot be printed, and a parameter that occurs twice.
    "INVALID_BODY": (
        'member "file_name" ',
        'member "create_artifact.file_name" ',
        'member "content_type" ',
        'member "plan_data" is not base64',  # which schemas do not check
    ),
    "INVALID_SELECT": ("",),  # the grammar of a selection
    "INVALID_EXPIRY": ("",),  # in the future, and not after the end of the caller's own key
    "VCS_MISMATCH": ("",),  # a restriction to the VCS of the path
    "INSTALLATION_OUT_OF_REACH": ("",),  # a restriction to an installation that the caller reaches
    "TOO_MANY_KEYS": ("",),  # as many keys as a user may have
    "INVALID_JSON": ("a string holds ",),  # U+0000, at any depth of a value
    "KEY_TOO_LONG": ("",),  # bytes, which schemas do not count
    "INVALID_CAPABILITY": ("{",),
    "NAME_TOO_LONG": ("",),
    "DESCRIPTION_TOO_LONG": ("",),
    "VERSION_LIMIT": ("",),  # a record that was written as often as is possible
    "QUOTA_EXCEEDED": ("",),  # the room that the installation has left
    "NOT_AN_ARTIFACT": ("",),  # the record holds a value
    "INCOMPLETE_UPLOAD": ("",),  # the bytes did not arrive
    "WRONG_HASH": ("",),  # other bytes arrived
    "UPLOAD_DONE": ("",),  # the upload became a record
}


# What the gateway admits: infra/local/gateway/request.go names the sources. SLACK is larger
# than the number of bytes of a request that are not counted here, such as those of the method's
# ARN before its path.
LONGEST_HEAD, LONGEST_ARN, SLACK = 10_240, 1_600, 200


def is_right(failure, case, response):
    """Whether the answer is right although a general check takes it for wrong."""
    # The gateway refuses these before any operation. docs/security.md lists them among the
    # limits.
    if response.status_code in (414, 431):
        return too_long(response)
    if isinstance(failure, RejectedPositiveData):
        return response.status_code == 400 and (may_be_empty(case, response) or unsayable(response))
    if isinstance(failure, MalformedJson):
        # The response to a failed comparison has no body. OpenAPI cannot express that, so the
        # document says x-may-be-empty.
        return may_be_empty(case, response)
    if isinstance(failure, AcceptedNegativeData):
        # OpenAPI does not allow an empty value of a variable in a path, so the generator takes
        # it for wrong. But the empty key is a valid key.
        #
        # What a runner repeats after its run has completed is not read again.
        # A plan that is too large is a 413, as a body is.
        return response.status_code == 413 or case.path_parameters.get("key") == "" or operation_id(case) == "runnerReport"
    return False


def too_long(response):
    path, _, query = response.request.path_url.partition("?")
    if response.status_code == 414:
        return len(path) > LONGEST_ARN - SLACK
    headers = sum(len(name) + len(value) + len(": \r\n") for name, value in response.request.headers.items())
    return len(path) + len(query) + headers > LONGEST_HEAD - SLACK


def may_be_empty(case, response):
    if response.content:
        return False
    definition = case.operation.responses.find_by_status_code(response.status_code)
    return definition is not None and definition.definition.get("x-may-be-empty", False)


def unsayable(response):
    refusal = response.json() if response.content else {}
    text = UNSAYABLE.get(refusal.get("id"))
    return text is not None and refusal.get("data", "").startswith(text)
