package githubhost

import (
	"encoding/json"
	"net/http"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// failure is an error of the GraphQL API.
type failure struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// statuses are the statuses of the REST API that mean the same as the types of
// errors. Another type gets the status 422: the request failed as it is.
var statuses = map[string]int{
	"NOT_FOUND":           http.StatusNotFound,
	"FORBIDDEN":           http.StatusForbidden,
	"INSUFFICIENT_SCOPES": http.StatusForbidden,
	"RATE_LIMITED":        http.StatusTooManyRequests,
	"RATE_LIMIT":          http.StatusTooManyRequests,
}

// explain returns the error that the REST API would have led to.
func (f failure) explain(doing string, answer *http.Response) error {
	status, ok := statuses[f.Type]
	if !ok {
		status = http.StatusUnprocessableEntity
	}
	text, _ := json.Marshal(map[string]string{"message": f.Message}) // texts can always be encoded
	return vcshost.ReadRefusal("github: "+doing, &http.Response{StatusCode: status, Header: answer.Header, Request: answer.Request}, text)
}
