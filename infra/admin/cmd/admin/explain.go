package main

import (
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/shared/fault"
)

// explain writes an error for a person, with what to do next where that is
// known.
func explain(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Detail != "" {
		return f.Detail
	}
	text := err.Error()
	if next := advice(err); next != "" {
		text += "\n" + next
	}
	return text
}

func advice(err error) string {
	var (
		api  smithy.APIError
		dial *net.OpError
	)
	switch {
	case errors.Is(err, errNoStack):
		return "Start it in another terminal with \"make run\", or name a deployed stack: --stack NAME."
	case errors.As(err, &dial) && dial.Op == "dial":
		return "Nothing answers there. The local stack must be running: start it in another terminal with \"make run\"."
	case errors.As(err, &api):
		return adviceFor(api)
	case strings.Contains(err.Error(), "refresh cached credentials"), strings.Contains(err.Error(), "MissingRegion"):
		return "No AWS credentials or region were found: set AWS_PROFILE and AWS_REGION, or log in with \"aws sso login\"."
	}
	return ""
}

func adviceFor(err smithy.APIError) string {
	switch err.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return "Your AWS credentials lack that right. Operators need cloudformation:DescribeStacks on the stack, and " +
			"dynamodb:GetItem, Query, PutItem and UpdateItem on TokensTable, SigningKeysTable and OperationsTable; for \"why\" " +
			"besides cloudformation:ListStackResources on the stack and logs:FilterLogEvents on its log groups."
	case "ResourceNotFoundException":
		return "A table of the stack does not exist: is this the right region and account?"
	case "ValidationError":
		return "CloudFormation does not know that stack: check its name, the region and the account."
	case "ExpiredToken", "ExpiredTokenException":
		return "Your AWS session has ended: log in again."
	}
	return ""
}
