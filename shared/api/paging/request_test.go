package paging_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/paging"
)

func TestPageSize(t *testing.T) {
	for query, want := range map[string]int{
		"": 20, "?limit=1": 1, "?limit=100": 100, "?limit=101": 100, "?limit=1000": 100, "?limit=99999999999999999999": 100, "?limit=5&limit=7": 5,
	} {
		q, err := paging.Decode(httptest.NewRequest("GET", "/l"+query, nil), shape)
		if err != nil || q.Limit != want || !q.First() {
			t.Errorf("%q: got %d, %v; want %d", query, q.Limit, err, want)
		}
	}
}

func TestWhatCannotBeReadIsInvalid(t *testing.T) {
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=", "limit", "limit=abc", "limit=1.5", "limit=-99999999999999999999", "limit=9e99",
		"page=", "page", "page=n", "page=p", "page=n&page=YQ", "page=n&page=YQ&page=YQ&page=YQ", "page=x&page=YQ&page=YQ",
		"page=YQ&page=YQ", "page=n,YQ", "page=n,YQ,YQ,YQ", "page=n,Y,YQ", "page=n,YQ,Y!", "page=n,YQ,YR", "page=N,YQ,YQ",
	} {
		_, err := paging.Decode(httptest.NewRequest("GET", "/l?"+query, nil), shape)
		if f := new(fault.Error); !errors.As(err, &f) || f.Kind != fault.Invalid {
			t.Errorf("%s: got %v, want an Invalid fault", query, err)
		}
	}
}

func TestBothEncodingsOfAnArrayAreRead(t *testing.T) {
	for _, query := range []string{
		"page=n&page=YQ&page=Yg", "page=n,YQ,Yg", "page=n,YQ&page=Yg", "page=n&page=YQ,Yg", "page=n%2CYQ%2CYg", "page=n&x=1&page=YQ&page=Yg",
	} {
		q, err := paging.Decode(httptest.NewRequest("GET", "/l?"+query, nil), shape)
		if err != nil || q.Backward || len(q.Cursor) != 2 || q.Cursor[0] != "a" || q.Cursor[1] != "b" {
			t.Errorf("%s: got %+v, %v", query, q, err)
		}
	}
}

func TestLinksAreAbsolute(t *testing.T) {
	const tail = "?page=n&page=YQ&page=MQ&limit=1&q=x%2Cy&q=z"
	for name, c := range map[string]struct {
		target  string
		headers map[string]string
		gateway *events.APIGatewayProxyRequestContext
		want    string
	}{
		"plain":          {target: "/api/v1/l", want: "http://api.example.com/api/v1/l"},
		"behind TLS":     {target: "/api/v1/l", headers: map[string]string{"X-Forwarded-Proto": "https"}, want: "https://api.example.com/api/v1/l"},
		"odd scheme":     {target: "/api/v1/l", headers: map[string]string{"X-Forwarded-Proto": "javascript"}, want: "http://api.example.com/api/v1/l"},
		"forwarded base": {target: "/api/v1/l", headers: map[string]string{"X-Forwarded-Base": "https://tt.example.com", "X-Forwarded-Proto": "http"}, want: "https://tt.example.com/api/v1/l"},
		"base with path": {target: "/api/v1/l", headers: map[string]string{"X-Forwarded-Base": "https://tt.example.com/ops/"}, want: "https://tt.example.com/ops/api/v1/l"},
		"hostile base":   {target: "/api/v1/l", headers: map[string]string{"X-Forwarded-Base": `javascript:alert(1)`}, want: "http://api.example.com/api/v1/l"},
		"broken base":    {target: "/api/v1/l", headers: map[string]string{"X-Forwarded-Base": `https://a.example/>; rel="next"`}, want: "https://a.example/%3E;%20rel=%22next%22/api/v1/l"},
		"stage": {
			target: "/api/v1/l", gateway: &events.APIGatewayProxyRequestContext{Path: "/live/api/v1/l"},
			headers: map[string]string{"X-Forwarded-Proto": "https"}, want: "https://api.example.com/live/api/v1/l",
		},
		"custom domain":                {target: "/api/v1/l", gateway: &events.APIGatewayProxyRequestContext{Path: "/api/v1/l"}, want: "http://api.example.com/api/v1/l"},
		"pattern in place of the path": {target: "/api/v1/l", gateway: &events.APIGatewayProxyRequestContext{Path: "/api/v1/{x}"}, want: "http://api.example.com/api/v1/l"},
		"escapes stay":                 {target: "/api/v1/k%2Fl//m%3F", want: "http://api.example.com/api/v1/k%2Fl//m%3F"},
	} {
		r := httptest.NewRequest("GET", "http://api.example.com"+c.target+"?q=x%2Cy&limit=1&q=z&page=p&page=Yg&page=Yg", nil)
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		if c.gateway != nil {
			r = throughGateway(t, c.target, *c.gateway, c.headers)
		}
		page, err := list([]row{{"a", "1"}}, r)
		if err != nil {
			t.Fatal(err)
		}
		if got := links(t, page)["next"]; got != c.want+tail {
			t.Errorf("%s: got %s, want %s", name, got, c.want+tail)
		}
	}
}

// throughGateway makes the request as the Lambda adapter makes it.
func throughGateway(t *testing.T, path string, gateway events.APIGatewayProxyRequestContext, headers map[string]string) *http.Request {
	t.Helper()
	gateway.DomainName = "api.example.com"
	r, err := new(core.RequestAccessor).EventToRequestWithContext(context.Background(), events.APIGatewayProxyRequest{
		HTTPMethod: "GET", Path: path, Headers: headers, RequestContext: gateway,
		MultiValueQueryStringParameters: map[string][]string{"q": {"x,y", "z"}, "limit": {"1"}, "page": {"p", "Yg", "Yg"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
