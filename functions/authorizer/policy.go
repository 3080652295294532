package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// stageARN returns the resource that covers every route of the stage that methodARN
// belongs to. A policy names the whole stage for two reasons. The function behind
// decides on every route what a caller may do. And the method's own ARN holds a
// path, which is not safe in a pattern.
func stageARN(methodARN string) (string, error) {
	parts := strings.SplitN(methodARN, "/", 3)
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "arn:") || parts[1] == "" {
		return "", fmt.Errorf("this function serves only authorizer requests of a REST API")
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
