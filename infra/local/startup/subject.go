//go:build unix

// Package startup measures how long the functions take to start: from exec to the first request
// for an event, under the same Runtime API as the local stack. Its invariant: a function is
// only compared with a reference that the same command built, and the two are started in turns.
// So other load of the machine affects both.
package startup

import (
	"maps"
	"slices"

	"github.com/opsplane/opsplane/infra/test/template"
)

// The references: folders of testdata.
const (
	hello          = "hello"       // a typed handler, no clients
	dynamoDBOnly   = "dynamodb"    // an empty HTTP handler with a DynamoDB client
	dynamoDBWithS3 = "dynamodb-s3" // the same, also with an S3 client
)

// The maximum of additional time that a function may take to start, compared with its
// reference. The reference of the authorizer is a function that does nothing, because every
// request waits for the authorizer.
const (
	authorizerGoal = 1.5
	functionGoal   = 1.2
)

// subject is a function, its reference and its goal.
type subject struct {
	function  template.Function
	reference string
	goal      float64
}

// subjects returns each function of the template with the reference that has the same clients.
// A function's environment variables show which services it uses.
func subjects(t *template.Template) []subject {
	authorizers := map[string]bool{}
	for _, a := range t.API.Authorizers {
		authorizers[a.Function] = true
	}
	list := make([]subject, 0, len(t.Functions))
	for _, f := range t.Functions {
		s := subject{function: f, reference: hello, goal: functionGoal}
		told := slices.Collect(maps.Values(f.Environment))
		switch {
		case authorizers[f.LogicalID]:
			s.goal = authorizerGoal
		case slices.ContainsFunc(t.Buckets, func(b template.Bucket) bool { return slices.Contains(told, b.Name) }):
			s.reference = dynamoDBWithS3
		case slices.ContainsFunc(t.Tables, func(table template.Table) bool { return slices.Contains(told, table.Name) }):
			s.reference = dynamoDBOnly
		}
		list = append(list, s)
	}
	return list
}
