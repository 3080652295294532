package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// Lambda answers the invocation events of one function.
type Lambda struct {
	adapter *httpadapter.HandlerAdapter
	public  string
}

// NewLambda makes the handler of a function from its routes. Middleware, if
// any, stands between the adapter and the routes, the first outermost.
func NewLambda(routes []Route, log *slog.Logger, now func() time.Time, middleware ...func(http.Handler) http.Handler) *Lambda {
	h := Handler(routes, log, now)
	for i := len(middleware) - 1; i >= 0; i-- {
		h = middleware[i](h)
	}
	return &Lambda{adapter: httpadapter.New(h)}
}

// At sets the address under which users reach the API, without a trailing slash
// or with one; empty is the address that a request came to. See Address.
func (l *Lambda) At(public string) *Lambda {
	l.public = strings.TrimRight(public, "/")
	return l
}

// ErrNotHTTP is answered to an invocation that is no API Gateway proxy event.
var ErrNotHTTP = errors.New("this function answers API Gateway proxy events only")

// answerTime is what an operation leaves of an invocation's time, so that the
// caller hears that time was over, and the function is not killed for it.
const answerTime = 500 * time.Millisecond

// Handle answers one API Gateway REST proxy event. The operation's context ends
// a little before the invocation does.
func (l *Lambda) Handle(ctx context.Context, event events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	if event.HTTPMethod == "" || event.Path == "" {
		return events.APIGatewayProxyResponse{}, ErrNotHTTP
	}
	// The adapter would print a path that it cannot parse, key and all, and end
	// the path at a # or ?, which no path has unless it is escaped. Without its
	// slash a path could pass for a whole URL here, and not there.
	_, err := url.ParseRequestURI(event.Path)
	if err != nil || !strings.HasPrefix(event.Path, "/") || strings.ContainsAny(event.Path, "#?") {
		return invalidPath(), nil
	}
	event.Path = withoutBase(event.Path, event.Resource)
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerTime))
		defer cancel()
	}
	ctx = context.WithValue(ctx, publicKey{}, l.public)
	return l.adapter.ProxyWithContext(ctx, event)
}

func invalidPath() events.APIGatewayProxyResponse {
	h := http.Header{"Content-Type": {contentType}}
	protect(h)
	return events.APIGatewayProxyResponse{
		StatusCode: http.StatusBadRequest, MultiValueHeaders: h,
		Body: `{"id":"INVALID_PATH","data":"the path is not valid percent-encoding"}`,
	}
}

// Serve runs the function until its environment ends. It does not return. The
// address under which users reach the API is the variable PUBLIC_BASE_URL, which
// the template gives to every function.
func (l *Lambda) Serve() { lambda.Start(l.At(os.Getenv("PUBLIC_BASE_URL")).Handle) }
