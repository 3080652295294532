//go:build unix

package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
)

// refusal is the type of a response that the gateway makes itself.
type refusal string

// Types of responses, as the template and AWS name them.
const (
	unauthorized         refusal = "UNAUTHORIZED"
	accessDenied         refusal = "ACCESS_DENIED"
	authorizerFailure    refusal = "AUTHORIZER_FAILURE"
	authorizerConfig     refusal = "AUTHORIZER_CONFIGURATION_ERROR"
	missingToken         refusal = "MISSING_AUTHENTICATION_TOKEN"
	badBody              refusal = "BAD_REQUEST_BODY"
	requestTooLarge      refusal = "REQUEST_TOO_LARGE"
	throttled            refusal = "THROTTLED"
	integrationFailure   refusal = "INTEGRATION_FAILURE" // Lambda did not take the event
	integrationTimeout   refusal = "INTEGRATION_TIMEOUT"
	badFunction          refusal = "DEFAULT_5XX" // a crash or a malformed response has no type of its own
	defaultClientRefusal refusal = "DEFAULT_4XX" // nor has a request that cannot be read
)

// Responses that have no type at AWS, so that a template cannot change their text. The guides
// name the first "414 Request URI too long". They do not state the status of the others.
const (
	uriTooLong   refusal = "414"
	headTooLarge refusal = "431"
	badQuery     refusal = "400"
)

// builtin holds AWS's response for each type. It applies if the template has none.
var builtin = map[refusal]struct {
	status  int
	message string
	kind    string // value of the header x-amzn-ErrorType
}{
	unauthorized:       {http.StatusUnauthorized, "Unauthorized", "UnauthorizedException"},
	accessDenied:       {http.StatusForbidden, "User is not authorized to access this resource", "AccessDeniedException"},
	authorizerFailure:  {http.StatusInternalServerError, "Internal server error", "AuthorizerFailureException"},
	authorizerConfig:   {http.StatusInternalServerError, "Internal server error", "AuthorizerConfigurationException"},
	missingToken:       {http.StatusForbidden, "Missing Authentication Token", "MissingAuthenticationTokenException"},
	badBody:            {http.StatusBadRequest, "Invalid request body", "BadRequestException"},
	requestTooLarge:    {http.StatusRequestEntityTooLarge, "Request Too Long", "RequestTooLargeException"},
	throttled:          {http.StatusTooManyRequests, "Too Many Requests", "TooManyRequestsException"},
	integrationFailure: {http.StatusInternalServerError, "Internal server error", "InternalServerErrorException"},
	integrationTimeout: {http.StatusGatewayTimeout, "Endpoint request timed out", "InternalServerErrorException"},
	uriTooLong:         {http.StatusRequestURITooLong, "Request URI too long", "RequestUriTooLongException"},
	headTooLarge:       {http.StatusRequestHeaderFieldsTooLarge, "HTTP header is larger than 10240 bytes", "BadRequestException"},
	badQuery:           {http.StatusBadRequest, "Bad Request", "BadRequestException"},
	badFunction:        {http.StatusBadGateway, "Internal server error", "InternalServerErrorException"},

	defaultClientRefusal: {http.StatusBadRequest, "Bad Request", "BadRequestException"},
}

// refuse responds with the template's gateway response of that type. If there is none, it uses
// the template's default for the class of status, and else AWS's response.
func (g *Gateway) refuse(w http.ResponseWriter, c *call, kind refusal) {
	g.refuseWith(w, c, kind, builtin[kind].status)
}

// refuseWith does what refuse does, with a given status. The template's response may replace
// that status.
func (g *Gateway) refuseWith(w http.ResponseWriter, c *call, kind refusal, status int) {
	b := builtin[kind]
	response, declared := g.api.GatewayResponses[string(kind)]
	if !declared {
		fallback := defaultClientRefusal
		if status >= http.StatusInternalServerError {
			fallback = badFunction
		}
		response, declared = g.api.GatewayResponses[string(fallback)]
	}
	if response.StatusCode != 0 {
		status = response.StatusCode
	}
	message, _ := json.Marshal(b.message)
	body := `{"message":` + string(message) + `}`
	if text, ok := response.Templates["application/json"]; declared && ok {
		body = strings.NewReplacer(
			"$context.error.messageString", string(message), "$context.error.message", b.message, "$context.requestId", c.id,
		).Replace(text)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("x-amzn-ErrorType", b.kind)
	if kind == throttled {
		h.Set("Retry-After", "1")
	}
	for name, value := range response.Headers {
		h.Set(name, value)
	}
	send(w, c, status, []byte(body))
}
