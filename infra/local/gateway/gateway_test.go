//go:build unix

package gateway

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAnswerBecomesHTTP(t *testing.T) {
	s := serve(t, allowStage, func(map[string]any) (string, error) {
		return `{"statusCode": 200, "headers": {"x-one": "1", "X-Many": "lost", "x-number": 5, "WWW-Authenticate": "Basic"},
			"multiValueHeaders": {"x-many": ["a", "b"]}, "body": "hello"}`, nil
	})
	response, body := s.raw(t, "GET", "/open", "", "")
	h := response.Header
	if body != "hello" || h.Get("X-One") != "1" || h.Get("X-Number") != "5" || !reflect.DeepEqual(h.Values("X-Many"), []string{"a", "b"}) {
		t.Errorf("got %q, headers %v", body, h)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("X-Amzn-Requestid") == "" || h.Get("Www-Authenticate") != "" || h.Get("X-Amzn-Remapped-Www-Authenticate") != "Basic" {
		t.Errorf("the gateway's own headers: got %v", h)
	}
	if response, body = s.raw(t, "HEAD", "/open", "", ""); response.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: got %d %q", response.StatusCode, body)
	}
}

func TestBinaryAnswerIsDecodedForWhoAcceptsIt(t *testing.T) {
	s := serve(t, allowStage, func(map[string]any) (string, error) {
		return `{"statusCode": 200, "body": "AP8=", "isBase64Encoded": true}`, nil
	})
	s.gateway.api.BinaryMediaTypes = []string{"application/zip"}
	for accept, want := range map[string]string{"application/zip": "\x00\xff", "text/html": "AP8="} {
		if _, body := s.raw(t, "GET", "/open", "Accept: "+accept+"\r\n", ""); body != want {
			t.Errorf("Accept %s: got %q, want %q", accept, body, want)
		}
	}
}

func TestLargeBodies(t *testing.T) {
	s := serve(t, allowStage, echo)
	if response, body := s.raw(t, "PUT", "/kv/1/key/a", credential, strings.Repeat("x", maxBody+1)); response.StatusCode != 413 || !strings.Contains(body, "REQUEST_TOO_LARGE") {
		t.Errorf("more than the gateway takes: got %d %q", response.StatusCode, body)
	}
	if e := s.event(t, "PUT", "/kv/1/key/a", credential, strings.Repeat("x", 6_000_000)); len(e["body"].(string)) != 6_000_000 {
		t.Errorf("6 MB: got %d bytes", len(e["body"].(string)))
	}
}

// stuck is a function that never returns.
type stuck struct{}

func (stuck) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestGatewayDoesNotWaitForEver(t *testing.T) {
	s := serve(t, allowStage, echo)
	s.gateway.functions["Echo"] = stuck{}
	s.gateway.timeout = 20 * time.Millisecond
	if response, body := s.raw(t, "GET", "/open", "", ""); response.StatusCode != 504 || body != `{"message":"Endpoint request timed out"}` {
		t.Errorf("got %d %q, want 504", response.StatusCode, body)
	}
}

func TestTemplatesOwnWordsAndDefaults(t *testing.T) {
	s := serve(t, allowStage, echo)
	response, _ := s.raw(t, "GET", "/kv/1/key/a", "", "")
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("header of a gateway response: got %q", got)
	}
	api := s.gateway.api.GatewayResponses
	api["DEFAULT_4XX"] = api["REQUEST_TOO_LARGE"]
	if response, body := s.raw(t, "GET", "/none", "", ""); response.StatusCode != 413 || !strings.Contains(body, "Missing Authentication Token") {
		t.Errorf("default for 4xx: got %d %q", response.StatusCode, body)
	}
}
