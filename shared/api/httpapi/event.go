package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
)

// proxyEvent has the members of an API Gateway proxy event that the functions read.
// To decode only these saves a fifth of the allocations of an invocation
// (docs/performance.md): the whole event holds every header twice.
type proxyEvent struct {
	Resource                        string              `json:"resource"`
	Path                            string              `json:"path"`
	HTTPMethod                      string              `json:"httpMethod"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	RequestContext                  struct {
		DomainName string         `json:"domainName"`
		RequestID  string         `json:"requestId"`
		Path       string         `json:"path"`
		Authorizer map[string]any `json:"authorizer"`
		Identity   struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
	} `json:"requestContext"`
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`
}

// decodeEvent reads a proxy event. The gateway sends every header in
// multiValueHeaders. An event without that member is decoded as a whole, because
// its headers may be in the member headers.
func decodeEvent(payload []byte) (events.APIGatewayProxyRequest, error) {
	var e proxyEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return events.APIGatewayProxyRequest{}, fmt.Errorf("decode event: %w", err)
	}
	if e.MultiValueHeaders == nil {
		var whole events.APIGatewayProxyRequest
		if err := json.Unmarshal(payload, &whole); err != nil {
			return events.APIGatewayProxyRequest{}, fmt.Errorf("decode event: %w", err)
		}
		return whole, nil
	}
	return events.APIGatewayProxyRequest{
		Resource: e.Resource, Path: e.Path, HTTPMethod: e.HTTPMethod, MultiValueHeaders: e.MultiValueHeaders,
		QueryStringParameters: e.QueryStringParameters, MultiValueQueryStringParameters: e.MultiValueQueryStringParameters,
		RequestContext: events.APIGatewayProxyRequestContext{
			DomainName: e.RequestContext.DomainName, RequestID: e.RequestContext.RequestID, Path: e.RequestContext.Path,
			Authorizer: e.RequestContext.Authorizer,
			Identity:   events.APIGatewayRequestIdentity{SourceIP: e.RequestContext.Identity.SourceIP},
		},
		Body: e.Body, IsBase64Encoded: e.IsBase64Encoded,
	}, nil
}

// Invoke implements lambda.Handler: it is Handle with the JSON of the event and of
// the response.
func (l *Lambda) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	event, err := decodeEvent(payload)
	if err != nil {
		return nil, err
	}
	response, err := l.Handle(ctx, event)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(response); err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
