package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// stageARN answers the resource that covers every route of the stage that
// methodARN belongs to. Policies name the whole stage: what a caller may do
// there is decided by the function behind, on every route, and the method's
// own ARN holds a path that is not safe in a pattern.
func stageARN(methodARN string) (string, error) {
	parts := strings.SplitN(methodARN, "/", 3)
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "arn:") || parts[1] == "" {
		return "", fmt.Errorf("this function answers the authorizer requests of a REST API only")
	}
	return parts[0] + "/" + parts[1] + "/*", nil
}

func policy(effect, stage, principal string) events.APIGatewayCustomAuthorizerResponse {
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: principal,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
			Version: "2012-10-17",
			Statement: []events.IAMPolicyStatement{{
				Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{stage},
			}},
		},
	}
}
