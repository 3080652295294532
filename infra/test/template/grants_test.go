package template

import (
	"flag"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of grants of docs/security.md anew")

// The lines around the table in the document.
const (
	tableBegin = "<!-- grants: written by \"go test ./infra/test/template -update\" -->\n"
	tableEnd   = "<!-- end of the grants -->\n"
)

// granted returns what the product's functions may do if both hosts are configured. It leaves
// out what all functions may do: write their own log and their traces.
func granted(t *testing.T) []Grant {
	t.Helper()
	grants, err := Grants(fileOfProduct(t, "template.yaml"), Options{Parameters: map[string]string{
		"GithubAppClientId": "id", "GitlabAppId": "id", "GithubClientSecret": "GithubClientSecret", "GitlabAppSecret": "GitlabAppSecret",
		"GithubWebhookSecret": "GithubWebhookSecret", "GithubAppPrivateKey": "GithubAppPrivateKey", "Tracing": "on", "EventBusName": "EventBus",
	}})
	if err != nil {
		t.Fatal(err)
	}
	own := func(g Grant) bool {
		log := reflect.DeepEqual(g.Actions, []string{"logs:CreateLogStream", "logs:PutLogEvents"}) &&
			g.Resource == strings.Replace(g.Function, "Function", "LogGroup", 1)
		trace := reflect.DeepEqual(g.Actions, []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}) && g.Resource == "*"
		return log || trace
	}
	all := len(grants)
	if grants = slices.DeleteFunc(grants, own); len(grants) == all || len(grants) == 0 {
		t.Fatalf("got %d of %d grants, want some that are of all functions and some that are not", len(grants), all)
	}
	return grants
}

// rendered returns the table of the document.
func rendered(grants []Grant) string {
	var b strings.Builder
	b.WriteString("| Function | Of | May | Partition keys | Bounds |\n|---|---|---|---|---|\n")
	code := func(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }
	last := ""
	for _, g := range grants {
		name := strings.ToLower(strings.TrimSuffix(g.Function, "Function"))
		if name == last {
			name = ""
		} else {
			last = name
		}
		var actions, bounds []string
		for _, a := range g.Actions {
			_, short, _ := strings.Cut(a, ":")
			actions = append(actions, short)
		}
		keys := ""
		if strings.HasPrefix(g.Actions[0], "dynamodb:") && !strings.HasSuffix(g.Resource, ".StreamArn") && g.Resource != "*" {
			keys = "any"
		}
		if g.LeadingKeys != nil {
			keys = code(g.LeadingKeys)
		}
		if g.Attributes != nil {
			bounds = append(bounds, "attributes "+code(g.Attributes))
		}
		if g.ReturnValues != nil {
			bounds = append(bounds, "hands back "+strings.ToLower(strings.Join(g.ReturnValues, ", ")))
		}
		if g.Select != nil {
			bounds = append(bounds, "reads "+strings.ReplaceAll(strings.ToLower(strings.Join(g.Select, ", ")), "_", " "))
		}
		resource := strings.Replace(g.Resource, ".StreamArn", ", its stream", 1)
		for _, cell := range []string{name, resource, strings.Join(actions, ", "), keys, strings.Join(bounds, "; ")} {
			b.WriteString("| ")
			if cell != "" {
				b.WriteString(cell + " ")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

func TestDocumentSaysWhatTheTemplateAllows(t *testing.T) {
	const file = "docs/security.md"
	text := string(fileOfProduct(t, file))
	before, rest, begins := strings.Cut(text, tableBegin)
	table, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table of grants, between %q and %q", file, tableBegin, tableEnd)
	}
	want := rendered(granted(t))
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what template.yaml allows. Review the difference, then write it with: go test ./infra/test/template -update\ngot\n%s\nwant\n%s", file, table, want)
	}
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, file), []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// like reports whether two patterns of IAM can match the same key.
func like(pattern, key string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(key, "/", "|"))
	return ok && err == nil
}

// reaches reports whether a grant allows one of some actions on a resource, for a key.
func (g Grant) reaches(resource, key string, actions ...string) bool {
	// A right to read an index is a right to read its table.
	table, _, _ := strings.Cut(g.Resource, "/index/")
	if table != resource && !like(table, resource) {
		return false
	}
	if g.LeadingKeys != nil && !slices.ContainsFunc(g.LeadingKeys, func(p string) bool { return like(p, key) }) {
		return false
	}
	return slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(g.Actions, a) })
}

func TestNoFunctionMayMoreThanTheDocumentDenies(t *testing.T) {
	writes := []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}
	reads := []string{
		"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:PartiQLSelect",
		"dynamodb:GetRecords", // of a stream
	}
	secret := []string{"secretsmanager:GetSecretValue"}
	for name, c := range map[string]struct {
		resource, key string
		actions       []string
		may           []string // functions
	}{
		"verification keys are written":      {"TokensTable", "AUTHORITY", writes, nil},
		"signing keys are written":           {"SigningKeysTable", "SIGNING", writes, nil},
		"rotations are read":                 {"SigningKeysTable", "ROTATION", reads, nil},
		"private signing keys are read":      {"SigningKeysTable", "SIGNING", reads, []string{"Tokens"}},
		"images of signing keys are read":    {"SigningKeysTable.StreamArn", "", reads, nil},
		"revocations are told":               {"TokensTable", "REVOKED#7", writes, []string{"Eraser", "Tokens"}},
		"API keys are written":               {"TokensTable", "USER#u", writes, []string{"Eraser", "Tokens"}},
		"API keys are read":                  {"TokensTable", "USER#u", reads, []string{"Authorizer", "Eraser", "Renewer", "Tokens"}},
		"users are written":                  {"OperationsTable", "USER#u", writes, []string{"Eraser", "Hosts", "Login", "Renewer"}},
		"users are read":                     {"OperationsTable", "USER#u", reads, []string{"Audit", "Authorizer", "Commands", "Explain", "Hosts", "Identity", "Login", "Renewer", "Repositories", "Tokens"}},
		"sessions are read":                  {"SessionsTable", "SESSION#s", reads, []string{"Authorizer"}},
		"sealed tokens of people are read":   {"SessionsTable", "USER#u", reads, []string{"Hosts", "Renewer"}},
		"sealed tokens of groups are read":   {"SessionsTable", "GROUP#g", reads, []string{"Commands", "Dispatcher", "Explain", "Hosts", "Jobs", "Orchestrator", "Repositories"}},
		"what seals them is read":            {"ServerSecret", "", secret, []string{"Commands", "Dispatcher", "Explain", "Hosts", "Jobs", "Login", "Orchestrator", "Renewer", "Repositories", "Runner"}},
		"what makes webhook tokens is read":  {"WebhookTokenSecret", "", secret, []string{"Hosts", "Webhooks"}},
		"GitHub's webhook secret is read":    {"GithubWebhookSecret", "", secret, []string{"Webhooks"}},
		"the GitHub App's key is read":       {"GithubAppPrivateKey", "", secret, []string{"Commands", "Dispatcher", "Explain", "Jobs", "Orchestrator", "Repositories", "Runner"}},
		"plans of runs are read":             {"RunsBucket/plans/r", "", []string{"s3:GetObject"}, []string{"Runner"}},
		"runs are created":                   {"RunsTable", "IDEM#ann", writes, []string{"Commands"}},
		"manifests of runs are written":      {"RunsBucket/manifests/r", "", []string{"s3:PutObject"}, []string{"Commands", "Orchestrator"}},
		"plans of runs are written":          {"RunsBucket/plans/r", "", []string{"s3:PutObject"}, []string{"Runner"}},
		"client secrets are read":            {"GithubClientSecret", "", secret, []string{"Hosts", "Login", "Renewer"}},
		"the audit trail is written":         {"AuditTable", "-", writes, []string{"Auditor"}},
		"images of users and tasks are read": {"OperationsTable.StreamArn", "", reads, []string{"Auditor", "Jobs"}},
		"images of runs are read":            {"RunsTable.StreamArn", "", reads, []string{"Auditor", "Dispatcher"}},
		"what was decided is changed":        {"EvaluationTable", "LANE#github#7", []string{"dynamodb:PutItem"}, []string{"Orchestrator"}},
		"what is to be evaluated is read":    {"EvaluationTable", "LANE#github#7", reads, []string{"Commands", "Eraser", "Explain", "Jobs", "Orchestrator"}},
		"images of sessions are read":        {"SessionsTable.StreamArn", "", reads, []string{"Auditor"}},
		"images of API keys are read":        {"TokensTable.StreamArn", "", reads, []string{"Auditor"}},
		"parked events are written":          {"OperationsTable", "EVENTS#e", writes, []string{"Publisher"}},
		"images of records are read":         {"AuditTable.StreamArn", "", reads, []string{"Archivist", "Publisher"}},
		"heads of the store are removed":     {"KvTable", "github:1", []string{"dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}, []string{"Eraser"}},
		"the store is read":                  {"KvTable", "github:1", reads, []string{"Collector", "Eraser", "Kv"}},
	} {
		var may []string
		for _, g := range granted(t) {
			function := strings.TrimSuffix(g.Function, "Function")
			if g.reaches(c.resource, c.key, c.actions...) && !slices.Contains(may, function) {
				may = append(may, function)
			}
		}
		if !slices.Equal(may, c.may) {
			t.Errorf("%s by %v, want %v", name, may, c.may)
		}
	}
	for _, g := range granted(t) {
		for _, action := range g.Actions {
			if strings.Contains(action, "*") || strings.Contains(action, "Scan") || strings.Contains(action, "PartiQL") {
				t.Errorf("%s may %s", g.Function, action)
			}
		}
	}
}

func TestRoleThatSaysMoreThanAGrantCanIsRefused(t *testing.T) {
	const head = `
Resources:
  T: {Type: AWS::DynamoDB::Table}
  F: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt R.Arn}}
  R:
    Type: AWS::IAM::Role
    Properties:
`
	policy := func(statement string) string {
		return head + "      Policies: [{PolicyName: a, PolicyDocument: {Statement: [" + statement + "]}}]\n"
	}
	for name, text := range map[string]string{
		"denial":            policy("{Sid: A, Effect: Deny, Action: dynamodb:GetItem, Resource: !GetAtt T.Arn}"),
		"all but":           policy("{Sid: A, Effect: Allow, NotAction: dynamodb:GetItem, Resource: !GetAtt T.Arn}"),
		"no resource":       policy("{Sid: A, Effect: Allow, Action: dynamodb:GetItem}"),
		"another condition": policy("{Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt T.Arn, Condition: {Bool: {aws:SecureTransport: [true]}}}"),
		"any value":         policy("{Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt T.Arn, Condition: {ForAnyValue:StringLike: {dynamodb:LeadingKeys: [a]}}}"),
		"managed policy":    head + "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonS3FullAccess]\n",
		"no role":           "Resources:\n  F: {Type: AWS::Serverless::Function, Properties: {}}\n",
	} {
		if got, err := Grants([]byte(text), Options{}); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
	got, err := Grants([]byte(policy("{Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: !Sub '${T.Arn}/index/i', "+
		"Condition: {ForAllValues:StringLike: {dynamodb:LeadingKeys: [a, b]}, StringEqualsIfExists: {dynamodb:ReturnValues: [NONE]}}}")), Options{})
	want := []Grant{{
		Function: "F", Sid: "A", Actions: []string{"dynamodb:GetItem"}, Resource: "T/index/i", LeadingKeys: []string{"a", "b"}, ReturnValues: []string{"NONE"},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
