package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
)

const (
	caller      = "arn:aws:sts::111122223333:assumed-role/ops/ann"
	description = `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>production</StackName><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`
	identity    = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>` + caller + `</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`
	noStack     = `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error></ErrorResponse>`
)

// fakeAWS simulates the two calls that find a stack, for which no local server
// exists.
func fakeAWS(t *testing.T, outputs map[string]string) string {
	t.Helper()
	var members strings.Builder
	for key, value := range outputs {
		fmt.Fprintf(&members, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", key, value)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		switch {
		case r.FormValue("Action") == "GetCallerIdentity":
			fmt.Fprint(w, identity)
		case r.FormValue("Action") == "DescribeStacks" && r.FormValue("StackName") == "production":
			fmt.Fprintf(w, description, members.String())
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, noStack)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestOnADeployedStack(t *testing.T) {
	env := storagetest.New(t)
	for name, value := range env.Environ() {
		t.Setenv(name, value)
	}
	table := env.Table("OperationsTable")
	url := fakeAWS(t, map[string]string{
		"ApiUrl": "https://example.com", "OperationsTable": table,
		"TokensTable": env.Table("TokensTable"), "SigningKeysTable": env.Table("SigningKeysTable"), "DeliveriesTable": env.Table("DeliveriesTable"), "AuditTable": env.Table("AuditTable"),
	})
	t.Setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", url)
	t.Setenv("AWS_ENDPOINT_URL_STS", url)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", env.DynamoDBURL)
	none := func(string) string { return "" }
	var out, notes bytes.Buffer
	if code := run(context.Background(), []string{"--stack", "production", "user", "create", "ann"}, none, &out, &notes); code != 0 {
		t.Fatalf("code %d: %s%s", code, out.String(), notes.String())
	}
	item, err := env.DynamoDB.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: &table, Key: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "USERNAME#ann"}, "sk": &types.AttributeValueMemberS{Value: "USERNAME"},
	}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if by, _ := item.Item[change.AttrPrincipal].(*types.AttributeValueMemberS); by == nil || by.Value != "operator:"+caller {
		t.Errorf("recorded as done by %v, want operator:%s", item.Item[change.AttrPrincipal], caller)
	}
	notes.Reset()
	for _, line := range []string{"--stack x key list", "key list --stack x", "key list -stack=x --user ann"} {
		notes.Reset()
		if code := run(context.Background(), strings.Fields(line), none, &out, &notes); code != exitFailed ||
			!strings.Contains(notes.String(), "CloudFormation does not know that stack") {
			t.Errorf("%s: code %d, %q", line, code, notes.String())
		}
	}
}

func TestAStackOfAnotherProduct(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "localsecret")
	t.Setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", fakeAWS(t, map[string]string{"Website": "https://example.com"}))
	var out, notes bytes.Buffer
	code := run(context.Background(), []string{"--stack", "production", "key", "list"}, func(string) string { return "" }, &out, &notes)
	if code != exitFailed || !strings.Contains(notes.String(), "not one of Opsplane") {
		t.Errorf("code %d, %q", code, notes.String())
	}
}

func TestTablesNamedInTheEnvironment(t *testing.T) {
	env := storagetest.New(t)
	for name, value := range env.Environ() {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", env.DynamoDBURL)
	given := map[string]string{
		"TOKENS_TABLE": env.Table("TokensTable"), "SIGNING_KEYS_TABLE": env.Table("SigningKeysTable"), "OPERATIONS_TABLE": env.Table("OperationsTable"),
		"DELIVERIES_TABLE": env.Table("DeliveriesTable"), "AUDIT_TABLE": env.Table("AuditTable"),
	}
	var out, notes bytes.Buffer
	if code := run(context.Background(), []string{"seed"}, func(name string) string { return given[name] }, &out, &notes); code != 0 || !strings.HasPrefix(out.String(), "opk_") {
		t.Errorf("code %d, %q: %s", code, out.String(), notes.String())
	}
	delete(given, "SIGNING_KEYS_TABLE")
	notes.Reset()
	if code := run(context.Background(), []string{"seed"}, func(name string) string { return given[name] }, &out, &notes); code != exitFailed ||
		!strings.Contains(notes.String(), "SigningKeysTable") {
		t.Errorf("one name missing: code %d, %q", code, notes.String())
	}
}
