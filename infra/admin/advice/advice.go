// Package advice explains to an operator what an error means and what to do next.
// The operators' commands print errors through it, because the AWS SDK's own texts
// do not say what to do.
package advice

import (
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// noCredentials replaces the SDK's long list of places where it looked for
// credentials.
const noCredentials = "no AWS credentials or no region were found; set AWS_PROFILE and AWS_REGION, or log in with \"aws sso login\""

// Explain returns the text of an error and, if it is known, what to do next.
func Explain(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Detail != "" {
		return f.Detail
	}
	text := err.Error()
	for _, sign := range []string{"refresh cached credentials", "MissingRegion", "Missing Region", "could not find region", "EC2 IMDS", "failed to get shared config profile"} {
		if strings.Contains(text, sign) {
			return noCredentials
		}
	}
	if next := next(err); next != "" {
		text += "\n" + next
	}
	return text
}

// next returns what to do about an error, or "" if that is not known.
func next(err error) string {
	var (
		api  smithy.APIError
		dial *net.OpError
	)
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return "No server responds there. The local stack must be running: start it in another terminal with \"make run\"."
	case errors.As(err, &api):
		return nextFor(api)
	}
	return ""
}

func nextFor(err smithy.APIError) string {
	switch err.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return "Your AWS credentials do not have this right. The section \"Operator's commands\" of docs/operations.md lists what each command needs."
	case "ResourceNotFoundException":
		return "A table of the stack does not exist: is this the right region and account?"
	case "ValidationError":
		return "CloudFormation does not know that stack: check its name, the region and the account."
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException":
		return "AWS does not accept these credentials, or no longer accepts them: log in again."
	}
	return ""
}
