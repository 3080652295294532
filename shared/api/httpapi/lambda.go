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

	"github.com/opsplane/opsplane/shared/background/frame"
)

// Lambda handles the invocation events of one function.
type Lambda struct {
	adapter *httpadapter.HandlerAdapter
	public  string
}

// NewLambda makes the handler of a function from its routes. The middleware, if
// any, stands between the adapter and the routes. The first one is the outermost.
func NewLambda(routes []Route, log *slog.Logger, now func() time.Time, middleware ...func(http.Handler) http.Handler) *Lambda {
	h := Handler(routes, log, now)
	for i := len(middleware) - 1; i >= 0; i-- {
		h = middleware[i](h)
	}
	return &Lambda{adapter: httpadapter.New(h)}
}

// At sets the address under which users reach the API, with or without a trailing
// slash. If it is empty, the address is the one that a request came to. See
// Address.
func (l *Lambda) At(public string) *Lambda {
	l.public = strings.TrimRight(public, "/")
	return l
}

// ErrNotHTTP is returned for an invocation that is not an API Gateway proxy event.
var ErrNotHTTP = errors.New("this function serves only API Gateway proxy events")

// responseTime is how long before the invocation's deadline an operation must end.
// The server can then still respond that the time was over, and Lambda does not
// kill the function.
const responseTime = 500 * time.Millisecond

// Handle handles one API Gateway REST proxy event. The operation's context ends
// responseTime before the invocation does.
func (l *Lambda) Handle(ctx context.Context, event events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	if event.HTTPMethod == "" || event.Path == "" {
		return events.APIGatewayProxyResponse{}, ErrNotHTTP
	}
	// The adapter would print a path that it cannot parse, including the key in it.
	// It would also cut a path at a # or ?; a valid path contains these only
	// escaped. A path without its first slash could be read as a whole URL here,
	// and not there.
	_, err := url.ParseRequestURI(event.Path)
	if err != nil || !strings.HasPrefix(event.Path, "/") || strings.ContainsAny(event.Path, "#?") {
		return invalidPath(), nil
	}
	event.Path = withoutBase(event.Path, event.Resource)
	ctx, cancel := frame.KeepBack(ctx, responseTime)
	defer cancel()
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
// address under which users reach the API is in the variable PUBLIC_BASE_URL, which
// the template sets for every function.
func (l *Lambda) Serve() { lambda.Start(l.At(os.Getenv("PUBLIC_BASE_URL"))) }
