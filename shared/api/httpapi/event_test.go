package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// routed is what the routes of a function see of an event.
type routed struct {
	Method, Target, Host, Remote, Body, Address string
	Header                                      http.Header
	ID, Source, Path                            string
	Authorizer                                  map[string]any
}

// spy returns a function that keeps the requests that come to its routes. It
// responds to each with a text that JSON may escape.
func spy(seen *[]routed) *httpapi.Lambda {
	return httpapi.NewLambda(nil, slog.New(slog.DiscardHandler), time.Now, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			gateway, _ := core.GetAPIGatewayContextFromContext(r.Context())
			*seen = append(*seen, routed{
				r.Method, r.URL.EscapedPath() + "?" + r.URL.Query().Encode(), r.Host, r.RemoteAddr, string(body), httpapi.Address(r), r.Header,
				gateway.RequestID, gateway.Identity.SourceIP, gateway.Path, gateway.Authorizer,
			})
			w.Header().Set("X-Text", "a<b&c")
			_, _ = io.WriteString(w, "<a&b>\n\u2028")
		})
	})
}

// TestInvokeReadsAnEventAsThePackageOfLambdaDoes sends every event of a gateway in
// the folder events both ways: through Invoke, and through the decoder of package
// lambda, which reads the whole event.
func TestInvokeReadsAnEventAsThePackageOfLambdaDoes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../events/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	payloads := map[string][]byte{
		"not JSON":              []byte(`{"path":`),
		"no object":             []byte(`[]`),
		"no event of a gateway": []byte(`{"Records":[]}`),
		"single headers":        []byte(`{"httpMethod":"GET","path":"/x","headers":{"Host":"h","X-A":"1"},"queryStringParameters":{"a":"1&2"},"requestContext":{"requestId":"r","identity":{"sourceIp":"192.0.2.1"}}}`),
		"single query":          []byte(`{"httpMethod":"GET","path":"/x","multiValueHeaders":{"X-A":["1","2"]},"queryStringParameters":{"a":"1"},"requestContext":{"authorizer":{"caller":7}}}`),
		"no headers":            []byte(`{"httpMethod":"POST","path":"/x","multiValueHeaders":{},"headers":{"X-A":"1"},"body":"PGE+","isBase64Encoded":true}`),
		"wrong base64":          []byte(`{"httpMethod":"POST","path":"/x","multiValueHeaders":{},"body":"<","isBase64Encoded":true}`),
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".expect.json") {
			continue
		}
		if payloads[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	served := 0
	for name, payload := range payloads {
		var whole, narrow []routed
		ctx := context.Background()
		want, wantErr := lambda.NewHandler(spy(&whole).Handle).Invoke(ctx, payload)
		got, err := lambda.NewHandler(spy(&narrow)).Invoke(ctx, payload)
		if (err == nil) != (wantErr == nil) || !sameJSON(got, want) {
			t.Errorf("%s: got %s, %v; want %s, %v", name, got, err, want, wantErr)
		}
		if !reflect.DeepEqual(narrow, whole) {
			t.Errorf("%s: the routes see %+v, want %+v", name, narrow, whole)
		}
		served += len(narrow)
	}
	if served < 100 {
		t.Errorf("only %d of %d events came to the routes", served, len(payloads))
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
