package apiclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	// requestTimeout ends a request that hangs. The gateway gives up after 29 s.
	requestTimeout = 60 * time.Second
	// maxBody is the size of the largest response that is read. API Gateway sends
	// at most 10 MB:
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
	maxBody = 10 << 20
)

// NewHTTPClient returns an HTTP client. It ends a request after 60 seconds, and
// keeps open at most the given number of idle connections. It follows no redirect,
// because a redirect leads to a file, outside the API. It shares no connection with
// other clients.
func NewHTTPClient(connections int) *http.Client {
	return &http.Client{
		Timeout:       requestTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: connections},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Response is a response, read to its end.
type Response struct {
	// Status is the HTTP status.
	Status int
	// Header holds the headers.
	Header http.Header
	// Body is the whole body, at most 10 MB.
	Body []byte
	// Uncertain says that an earlier attempt of the request may have taken effect.
	// If so, this may be the response to a repetition.
	Uncertain bool
}

// Send sends a request once, unchanged, and reads its response. A response with any
// status is not an error. A body that is incomplete or larger than 10 MB is an
// error. The error does not show the URL, which may contain a signature.
func Send(via *http.Client, req *http.Request) (Response, error) {
	resp, err := via.Do(req)
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if err != nil {
		return Response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return Response{}, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxBody {
		return Response{}, fmt.Errorf("read the answer: it is larger than %d bytes", maxBody)
	}
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Decode reads the JSON body.
func (r Response) Decode(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("%w: %v", err, r)
	}
	return nil
}

// Want returns nil if the response has one of the statuses, and an *Error
// otherwise.
func (r Response) Want(statuses ...int) error {
	if slices.Contains(statuses, r.Status) {
		return nil
	}
	return r.problem(statuses)
}

// String shows the status and the beginning of the body.
func (r Response) String() string { return fmt.Sprintf("%d %.200q", r.Status, r.Body) }
