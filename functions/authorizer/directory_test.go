package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
)

// inParts makes a batch come back in parts. The first attempts process nothing, as
// if the tables were short of throughput.
type inParts struct {
	next    aws.HTTPClient
	nothing int // attempts that process nothing
	calls   int
}

// Do implements aws.HTTPClient.
func (c *inParts) Do(r *http.Request) (*http.Response, error) {
	c.calls++
	if c.calls > c.nothing {
		return c.next.Do(r)
	}
	var request struct{ RequestItems json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"Responses": map[string]any{}, "UnprocessedKeys": request.RequestItems})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

func TestLookupGoesOnUntilAllIsProcessed(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	tokens, operations := env.Table("TokensTable"), env.Table("OperationsTable")
	author := change.Author{Principal: "operator:test", Request: "r", At: start}
	owner, err := (&user.Store{DB: env.DynamoDB, Table: operations}).Create(ctx, "ann", author)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := (&apikey.Store{DB: env.DynamoDB, Table: tokens}).Create(ctx, apikey.New{User: owner.ID, Capabilities: access.Set{access.KVStoreRead}}, author)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := apikey.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for nothing := range batchAttempts + 1 {
		cfg := env.Config.Copy()
		client := &inParts{next: cfg.HTTPClient, nothing: nothing}
		cfg.HTTPClient = client
		d := directory{tokens: tokens, operations: operations}
		d.db = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(env.DynamoDBURL) })
		_, _, err := d.find(ctx, secret)
		if gaveUp := nothing == batchAttempts; gaveUp != (err != nil) {
			t.Errorf("%d attempts without a result: got %v", nothing, err)
		}
		if want := min(nothing+1, batchAttempts); client.calls != want {
			t.Errorf("%d attempts without a result: got %d calls, want %d", nothing, client.calls, want)
		}
	}
}
