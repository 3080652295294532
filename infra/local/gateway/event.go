//go:build unix

package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The names by which events and ARNs identify the local gateway.
const (
	account = "000000000000"
	apiID   = "local"
	region  = "us-east-1"
)

// call is one request on its way through the gateway.
type call struct {
	request  *http.Request
	id       string
	time     time.Time
	rawPath  string // as sent
	rawQuery string
	resource *resource
	values   map[string]string
	body     []byte
}

// target splits a request's target as the client sent it, in origin form or absolute form.
func target(r *http.Request) (path, query string) {
	uri := r.RequestURI
	if rest, ok := strings.CutPrefix(uri, r.URL.Scheme+"://"+r.URL.Host); ok && r.URL.Host != "" {
		uri = rest
	}
	path, query, _ = strings.Cut(uri, "?")
	if path == "" {
		path = "/"
	}
	return ascii(path), query
}

// ascii percent-encodes the characters that must not stand in a path.
func ascii(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c >= utf8.RuneSelf {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// parameters decodes a query string. A name may have several values. Text that cannot be
// decoded stays as it is. A ";" separates parameters as "&" does ("Amazon API Gateway important
// notes", REST APIs).
func parameters(query string) (single map[string]string, multi map[string][]string) {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		name, value = decoded(name), decoded(value)
		if multi == nil {
			single, multi = map[string]string{}, map[string][]string{}
		}
		single[name] = value
		multi[name] = append(multi[name], value)
	}
	return single, multi
}

func decoded(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// hopHeaders apply to one connection. The gateway does not pass them to a function.
var hopHeaders = []string{
	"Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (c *call) headers() (single map[string]string, multi map[string][]string) {
	multi = map[string][]string{}
	for name, values := range c.request.Header {
		if !slices.Contains(hopHeaders, name) && name != http.CanonicalHeaderKey(methodOverride) {
			multi[name] = slices.Clone(values)
		}
	}
	host, port, err := net.SplitHostPort(c.request.Host)
	if err != nil {
		host, port = c.request.Host, "80"
	}
	multi["Host"] = []string{host}
	multi["X-Amzn-Trace-Id"] = []string{"Root=" + c.id}
	multi["X-Forwarded-For"] = []string{strings.Join(append(c.request.Header.Values("X-Forwarded-For"), c.sourceIP()), ", ")}
	multi["X-Forwarded-Port"] = []string{port}
	multi["X-Forwarded-Proto"] = []string{"http"}
	single = make(map[string]string, len(multi))
	for name, values := range multi {
		single[name] = values[len(values)-1]
	}
	return single, multi
}

func (c *call) sourceIP() string {
	host, _, err := net.SplitHostPort(c.request.RemoteAddr)
	if err != nil {
		return c.request.RemoteAddr
	}
	return host
}

// common returns the fields that the authorizer's event and the function's event share.
func (c *call) common(stage string) map[string]any {
	headers, multiHeaders := c.headers()
	query, multiQuery := parameters(c.rawQuery)
	var values any
	if len(c.values) > 0 {
		values = c.values
	}
	return map[string]any{
		"resource": c.resource.path, "path": c.rawPath, "httpMethod": c.method(),
		"headers": headers, "multiValueHeaders": multiHeaders,
		"queryStringParameters": query, "multiValueQueryStringParameters": multiQuery,
		"pathParameters": values, "stageVariables": nil,
		"requestContext": c.context(stage),
	}
}

// context returns the request context of the event. Its path has no stage. The path is the same
// behind a custom domain that removes the stage, because this gateway serves the stage at its
// root.
func (c *call) context(stage string) map[string]any {
	host, _, _ := strings.Cut(c.request.Host, ":")
	return map[string]any{
		"accountId": account, "apiId": apiID, "stage": stage,
		"resourceId": "local", "resourcePath": c.resource.path, "path": c.rawPath,
		"httpMethod": c.method(), "protocol": c.request.Proto,
		"domainName": c.request.Host, "domainPrefix": host,
		"requestId": c.id, "extendedRequestId": c.id,
		"requestTime": c.time.UTC().Format("02/Jan/2006:15:04:05 -0700"), "requestTimeEpoch": c.time.UnixMilli(),
		"identity": map[string]any{
			"sourceIp": c.sourceIP(), "userAgent": c.request.UserAgent(), "accessKey": nil, "accountId": nil, "caller": nil,
			"cognitoAuthenticationProvider": nil, "cognitoAuthenticationType": nil, "cognitoIdentityId": nil,
			"cognitoIdentityPoolId": nil, "principalOrgId": nil, "user": nil, "userArn": nil,
		},
	}
}

// authorizerEvent returns the event for a REQUEST authorizer.
func (c *call) authorizerEvent(stage string) ([]byte, error) {
	event := c.common(stage)
	event["type"], event["methodArn"] = "REQUEST", c.methodARN(stage)
	for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables"} {
		if m, ok := event[name].(map[string]string); event[name] == nil || ok && m == nil {
			event[name] = map[string]string{}
		} else if m, ok := event[name].(map[string][]string); ok && m == nil {
			event[name] = map[string][]string{}
		}
	}
	return encode(event)
}

func (c *call) methodARN(stage string) string {
	return "arn:aws:execute-api:" + region + ":" + account + ":" + apiID + "/" + stage + "/" + c.method() + c.rawPath
}

// functionEvent returns the event for a function. authorizer is nil on a route without an
// authorizer.
func (c *call) functionEvent(stage string, authorizer map[string]any, binary bool) ([]byte, error) {
	event := c.common(stage)
	event["body"], event["isBase64Encoded"] = nil, false
	switch {
	case len(c.body) == 0:
	case binary:
		event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(c.body), true
	default:
		event["body"] = string(c.body)
	}
	if authorizer != nil {
		event["requestContext"].(map[string]any)["authorizer"] = authorizer
	}
	return encode(event)
}

// encode writes JSON and does not escape <, > and &. Escaping would make the events larger than
// on AWS.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
