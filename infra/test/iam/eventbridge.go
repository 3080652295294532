package iam

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// eventBridge returns the permissions that a request to EventBridge needs, and whether the
// operation is known. Each entry needs the permission for its bus.
func eventBridge(in any) (needed []Request, known bool) {
	put, known := in.(*eventbridge.PutEventsInput)
	if !known {
		return nil, false
	}
	for _, e := range put.Entries {
		needed = append(needed, Request{
			Action: "events:PutEvents", Resource: "arn:aws:events:us-east-1:000000000000:event-bus/" + aws.ToString(e.EventBusName),
			Context: map[string][]string{secureTransport: {"true"}},
		})
	}
	return needed, true
}
