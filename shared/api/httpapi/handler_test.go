package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

type input struct {
	N int `json:"n"`
}

func read(r *http.Request) (in input, err error) {
	b := httpapi.NewBody(r)
	if n := b.OptionalInt("n", 0, 1_000_000); n != nil {
		in.N = *n
	}
	return in, b.Err()
}

// invoke sends one request to a function with one route, POST /x/{vcs}, whose
// operation is do. It returns the response and the log.
func invoke(t *testing.T, rule access.Rule, caller *access.Caller, body string, do func(httpapi.Call, input) (any, error)) (events.APIGatewayProxyResponse, string) {
	t.Helper()
	var log bytes.Buffer
	l := httpapi.NewLambda([]httpapi.Route{{
		Pattern: "POST /x/{vcs}", Rule: rule, Input: httpapi.Input{Members: []string{"n"}},
		Endpoint: httpapi.JSON(read, func(_ context.Context, c httpapi.Call, in input) (any, error) { return do(c, in) }),
	}}, slog.New(slog.NewJSONHandler(&log, nil)), time.Now)
	resp, err := l.Handle(t.Context(), httpapitest.Event(t, "POST", "/x/github", caller, body))
	if err != nil {
		t.Fatal(err)
	}
	return resp, log.String()
}

func echo(_ httpapi.Call, in input) (any, error) { return in, nil }

// throttled is the error of a client whose every attempt was refused because of
// load.
var throttled = &types.ProvisionedThroughputExceededException{Message: aws.String("table opsplane-secret")}

// conflict is the error of a client whose item was always in some transaction.
var conflict = &types.TransactionConflictException{Message: aws.String("table opsplane-secret")}

func TestErrorsBecomeStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"invalid":           {fault.Invalidf("ODD", "n is <odd>"), 400, `{"id":"ODD","data":"n is \u003codd\u003e"}`},
		"unmet":             {fault.ErrUnmet, 400, ""},
		"forbidden":         {fault.ErrForbidden, 403, ""},
		"not found":         {fault.ErrNotFound, 404, ""},
		"too large":         {fault.TooLargef("BIG", "at most 1"), 413, `{"id":"BIG","data":"at most 1"}`},
		"unsupported":       {fault.Unsupportedf("FORM", "send JSON"), 415, `{"id":"FORM","data":"send JSON"}`},
		"busy":              {fault.Busyf("BUSY", "again"), 503, `{"id":"BUSY","data":"again"}`},
		"too many":          {fault.TooManyf("MANY", "wait"), 429, `{"id":"MANY","data":"wait"}`},
		"throttled":         {fmt.Errorf("read opsplane-secret: %w", throttled), 503, `{"id":"THROTTLED","data":"storage is overloaded: try again in a moment"}`},
		"transaction":       {fmt.Errorf("write opsplane-secret: %w", conflict), 503, `{"id":"CONTENDED","data":"too many callers write the same data at the same time: try again in a moment"}`},
		"out of time":       {fmt.Errorf("read opsplane-secret: %w", context.DeadlineExceeded), 503, `{"id":"NO_ANSWER","data":"the server did not finish in time; a write may or may not have taken effect: read, then decide whether to write again"}`},
		"caller gone":       {context.Canceled, 500, ""},
		"fault before load": {errors.Join(throttled, fault.ErrNotFound), 404, ""},
		"wrapped":           {errors.Join(errors.New("secret"), fault.ErrNotFound), 404, ""},
		"internal":          {errors.New("table opsplane-secret is gone"), 500, ""},
		"kind not in table": {&fault.Error{Kind: 99, ID: "secret"}, 500, ""},
	} {
		resp, log := invoke(t, access.Rule{Public: true}, nil, `{}`, func(httpapi.Call, input) (any, error) { return nil, c.err })
		if resp.StatusCode != c.status || resp.Body != c.body {
			t.Errorf("%s: got %d %q, want %d %q", name, resp.StatusCode, resp.Body, c.status, c.body)
		}
		if retry := len(resp.MultiValueHeaders["Retry-After"]) > 0; retry != (c.status == 503 || c.status == 429) {
			t.Errorf("%s: Retry-After present is %v", name, retry)
		}
		if (name == "internal" || name == "throttled") && !strings.Contains(log, "table opsplane-secret") {
			t.Errorf("%s: the log does not say what failed: %s", name, log)
		}
	}
}

func TestOnlyAWriteMayHaveTakenEffectOnceTimeIsOver(t *testing.T) {
	late := func(context.Context, httpapi.Call, *http.Request) (httpapi.Response, error) {
		return nil, context.DeadlineExceeded
	}
	for _, c := range []struct {
		method   string
		readOnly bool
		says     bool // the response says that a write may have taken effect
	}{{"GET", false, false}, {"POST", true, false}, {"POST", false, true}, {"PUT", false, true}, {"DELETE", false, true}} {
		route := httpapi.Route{Pattern: c.method + " /x", Rule: access.Rule{Public: true}, ReadOnly: c.readOnly, Endpoint: late}
		l := httpapi.NewLambda([]httpapi.Route{route}, slog.New(slog.DiscardHandler), time.Now)
		resp, err := l.Handle(t.Context(), httpapitest.Event(t, c.method, "/x", nil, ""))
		if err != nil || resp.StatusCode != 503 || !strings.Contains(resp.Body, `"id":"NO_ANSWER"`) || strings.Contains(resp.Body, "write may") != c.says {
			t.Errorf("%s, read only %t: got %d %s, %v; want NO_ANSWER, naming a write: %t", c.method, c.readOnly, resp.StatusCode, resp.Body, err, c.says)
		}
	}
}

// A call that hangs must not make its caller hang, and must not cost the instance.
func TestOperationEndsBeforeItsInvocation(t *testing.T) {
	l := httpapi.NewLambda([]httpapi.Route{{
		Pattern: "GET /x", Rule: access.Rule{Public: true},
		Endpoint: httpapi.JSON(httpapi.NoInput, func(ctx context.Context, _ httpapi.Call, _ struct{}) (httpapi.Empty, error) {
			<-ctx.Done()
			return httpapi.Empty{}, ctx.Err()
		}),
	}}, slog.New(slog.DiscardHandler), time.Now)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(550*time.Millisecond))
	defer cancel()
	resp, err := l.Handle(ctx, httpapitest.Event(t, "GET", "/x", nil, ""))
	if err != nil || resp.StatusCode != 503 || !strings.Contains(resp.Body, "NO_ANSWER") {
		t.Errorf("got %d %s, %v; want 503 NO_ANSWER", resp.StatusCode, resp.Body, err)
	}
	if got := resp.MultiValueHeaders["Retry-After"]; !slices.Equal(got, []string{"1"}) {
		t.Errorf("got Retry-After %q, want 1", got)
	}
	if ctx.Err() != nil {
		t.Error("the invocation's own time was over too")
	}
}

func TestAPanicBecomes500AndTheFunctionContinues(t *testing.T) {
	resp, log := invoke(t, access.Rule{Public: true}, nil, `{}`, func(httpapi.Call, input) (any, error) { panic("boom") })
	if resp.StatusCode != 500 || resp.Body != "" || !strings.Contains(log, "boom") {
		t.Errorf("got %d %q, log %s", resp.StatusCode, resp.Body, log)
	}
}

func TestNothingRunsBeforeAuthorization(t *testing.T) {
	ran := false
	do := func(httpapi.Call, input) (any, error) { ran = true; return nil, nil }
	caller := &access.Caller{Kind: access.KindAPIKey, User: "u"}
	for name, body := range map[string]string{"good body": `{"n":1}`, "bad body": `{`} {
		for _, c := range []*access.Caller{nil, caller} {
			resp, _ := invoke(t, access.Rule{}, c, body, do)
			if resp.StatusCode != 403 || resp.Body != "" || ran {
				t.Errorf("%s, caller %v: got %d %q, ran %v; want an empty 403", name, c, resp.StatusCode, resp.Body, ran)
			}
		}
	}
}

func TestBadBodiesNameWhatIsWrong(t *testing.T) {
	for body, want := range map[string]string{
		``: "the body is empty", `{`: "not JSON", `{"n":1} 2`: "not JSON", `[]`: "must be a JSON object",
		`{"n":"x"}`: `member \"n\"`, `{"n":1.5}`: `member \"n\"`, "{\"n\":\"\xff\"}": "UTF-8",
	} {
		resp, _ := invoke(t, access.Rule{Public: true}, nil, body, echo)
		if resp.StatusCode != 400 || !strings.Contains(resp.Body, want) || strings.Contains(resp.Body, "input") {
			t.Errorf("body %q: got %d %s, want 400 with %q", body, resp.StatusCode, resp.Body, want)
		}
	}
}

func TestResponseIsCompactJSONWithoutHTMLEscapes(t *testing.T) {
	resp, _ := invoke(t, access.Rule{Public: true}, nil, `{}`, func(httpapi.Call, input) (any, error) {
		return map[string]string{"a": "<&>"}, nil
	})
	if resp.Body != `{"a":"<&>"}` || resp.MultiValueHeaders["Content-Type"][0] != "application/json" {
		t.Errorf("got %q %v", resp.Body, resp.MultiValueHeaders)
	}
}

func TestLogHoldsNeitherQueryNorBodyNorPath(t *testing.T) {
	_, log := invoke(t, access.Rule{Public: true}, nil, `{"n":424242}`, echo)
	if strings.Contains(log, "424242") || strings.Contains(log, "/x/github") || !strings.Contains(log, "POST /x/{vcs}") {
		t.Errorf("log line: %s", log)
	}
	if strings.Count(log, "\n") != 1 {
		t.Errorf("want one line, got %q", log)
	}
}

func TestLogSaysWhyTheServerWasBusy(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		want  string
		level string
	}{
		"busy with a cause":    {fmt.Errorf("%w: %w", fault.Busyf("BUSY", "again"), errors.New("status 502")), "status 502", "ERROR"},
		"busy":                 {fault.Busyf("BUSY", "again"), `"fault":"BUSY"`, "INFO"},
		"invalid with a cause": {fmt.Errorf("%w: %w", fault.Invalidf("ODD", "424242"), errors.New("cause")), `"fault":"ODD"`, "INFO"},
	} {
		_, log := invoke(t, access.Rule{Public: true}, nil, `{"n":1}`, func(httpapi.Call, input) (any, error) { return nil, c.err })
		if !strings.Contains(log, c.want) || !strings.Contains(log, `"level":"`+c.level+`"`) || strings.Contains(log, "424242") {
			t.Errorf("%s: %s", name, log)
		}
	}
}

func TestUnknownRoutesAre404WithoutBody(t *testing.T) {
	l := httpapi.NewLambda([]httpapi.Route{{Pattern: "GET /x/{vcs}", Rule: access.Rule{Public: true}, Endpoint: httpapi.JSON(
		httpapi.NoInput, func(context.Context, httpapi.Call, struct{}) (httpapi.Empty, error) { return httpapi.Empty{}, nil })}},
		slog.New(slog.DiscardHandler), time.Now)
	for target, want := range map[string]int{
		"GET /x/github": 200, "GET /x/gitlab": 200, "GET /x/bitbucket": 404, "POST /x/github": 404, "GET /x": 404, "GET /x/github/": 404, "GET /": 404,
		"GET /x/%zz": 400, "GET x:%0": 400, "GET x/github": 400,
	} {
		method, path, _ := strings.Cut(target, " ")
		resp, err := l.Handle(t.Context(), httpapitest.Event(t, method, path, nil, ""))
		if err != nil || resp.StatusCode != want || want == 404 && resp.Body != "" {
			t.Errorf("%s: got %d %q %v, want %d", target, resp.StatusCode, resp.Body, err, want)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := resp.MultiValueHeaders[name]; !slices.Equal(got, []string{want}) {
				t.Errorf("%s: header %s is %q, want %q", target, name, got, want)
			}
		}
	}
	if _, err := l.Handle(t.Context(), events.APIGatewayProxyRequest{}); !errors.Is(err, httpapi.ErrNotHTTP) {
		t.Errorf("an event that is no request: got %v, want ErrNotHTTP", err)
	}
}

// moved is a result with a status and a header of its own, and no body.
type moved struct{ httpapi.Empty }

func (moved) Status() int              { return http.StatusFound }
func (moved) SetHeaders(h http.Header) { h.Set("Location", "https://example.com/") }
func (accepted) Status() int           { return http.StatusAccepted }

// accepted is a result with a status and a body.
type accepted struct {
	N int `json:"n"`
}

func TestResultsMayHaveAStatusOfTheirOwn(t *testing.T) {
	for _, c := range []struct {
		result any
		status int
		body   string
	}{{moved{}, 302, ""}, {accepted{7}, 202, `{"n":7}`}, {httpapi.Empty{}, 200, ""}} {
		resp, log := invoke(t, access.Rule{Public: true}, nil, `{}`, func(httpapi.Call, input) (any, error) { return c.result, nil })
		if resp.StatusCode != c.status || resp.Body != c.body || !strings.Contains(log, fmt.Sprintf(`"status":%d`, c.status)) {
			t.Errorf("got %d %q, log %s; want %d %q", resp.StatusCode, resp.Body, log, c.status, c.body)
		}
		if _, typed := resp.MultiValueHeaders["Content-Type"]; typed != (c.body != "") {
			t.Errorf("body %q: has a content type: %t; want one only with a body", c.body, typed)
		}
	}
}
