package githubhost

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// send sends a write that makes content once. It decodes the response into a value that has only the
// members that we need, or ignores it if into is nil. Package vcshost says which
// writes may be repeated.
func (i *Installation) send(ctx context.Context, method, doing, path string, body, into any) error {
	request, err := i.content.NewRequest(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("github: %s: the address is not usable", doing)
	}
	if _, err := i.content.Do(request, into); err != nil {
		return explain(doing, err)
	}
	return nil
}

// graphQL returns the address of the GraphQL API. An Enterprise Server has it beside
// the REST API, and github.com has it below ("Forming calls with GraphQL", GitHub
// documentation).
func graphQL(api string) string {
	if server, ok := strings.CutSuffix(api, "/api/v3"); ok {
		return server + "/api/graphql"
	}
	return api + "/graphql"
}

// mutate sends a mutation to the GraphQL API. GitHub responds to most failures with
// the status 200 and a list of errors. mutate gives them the statuses that the REST
// API would have given them.
func (i *Installation) mutate(ctx context.Context, doing, query string, variables map[string]any) error {
	request, err := i.content.NewRequest(ctx, http.MethodPost, graphQL(i.app.api), map[string]any{"query": query, "variables": variables})
	if err != nil {
		return fmt.Errorf("github: %s: the address is not usable", doing)
	}
	var body struct {
		Data   *struct{} `json:"data"`
		Errors []failure `json:"errors"`
	}
	answer, err := i.content.Do(request, &body)
	if err != nil {
		return explain(doing, err)
	}
	switch {
	case len(body.Errors) > 0:
		return body.Errors[0].explain(doing, answer.Response)
	case body.Data == nil:
		return fmt.Errorf("github: %s: the answer has neither data nor errors", doing)
	}
	return nil
}
