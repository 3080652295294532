//go:build unix

// Package costs counts what operations cost, and compares the numbers with docs/costs.md. The
// tables of that document are the input. Each row has a scenario in the tests of its function.
// A scenario runs the operation against real local servers, and the meter counts at the
// transport, below the AWS clients. Invariant: if the document states a number that no test has
// counted, a test fails.
package costs

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// Use is what an operation used.
type Use struct {
	// DynamoDB counts calls by operation, such as GetItem.
	DynamoDB map[string]int
	// Reads and Writes are DynamoDB's read units and write units.
	Reads, Writes float64
	// S3 counts requests by the class in which they are charged: PUT, GET or DELETE.
	S3 map[string]int
	// Lambda counts invocations by function, such as kv.
	Lambda map[string]int
}

// Meter counts requests to storage. It counts nothing until Start.
type Meter struct {
	t    testing.TB
	next aws.HTTPClient
	env  *storagetest.Env

	mu      sync.Mutex
	on      bool
	use     Use
	asked   map[string]struct{} // routes of the template that were used while counting
	indexes map[string]*tableInfo
}

// New makes storage for one scenario, and a meter for that storage.
func New(t testing.TB) (*storagetest.Env, *Meter) {
	env := storagetest.New(t)
	m := &Meter{t: t, next: env.Config.HTTPClient, env: env, asked: map[string]struct{}{}, indexes: map[string]*tableInfo{}}
	m.use = Use{DynamoDB: map[string]int{}, S3: map[string]int{}, Lambda: map[string]int{}}
	return env, m
}

// DynamoDB returns a client whose requests are counted.
func (m *Meter) DynamoDB() *dynamodb.Client {
	return dynamodb.NewFromConfig(m.config(), func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(m.env.DynamoDBURL) })
}

// S3 returns a client whose requests are counted.
func (m *Meter) S3() *s3.Client {
	return s3.NewFromConfig(m.config(), func(o *s3.Options) {
		o.BaseEndpoint = aws.String(m.env.S3URL)
		o.UsePathStyle = true
	})
}

// Role returns the clients of a function, which is given by its logical id. Their requests are
// counted, and fail the test if the role of the function forbids them.
func (m *Meter) Role(function string) *storagetest.Env {
	return m.env.WithRole(function).WithClient(m)
}

// HTTP returns a client that counts the requests to signed addresses of S3. It does not follow
// redirects.
func (m *Meter) HTTP() *http.Client {
	return &http.Client{
		Transport:     transport{m},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (m *Meter) config() aws.Config {
	cfg := m.env.Config.Copy()
	cfg.HTTPClient = m
	return cfg
}

type transport struct{ *Meter }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.Do(r) }

// Start starts the counting. Earlier requests are preparation and do not count.
func (m *Meter) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on = true
}

// Stop ends the counting. Later requests check the result and do not count.
func (m *Meter) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on = false
}

// Used returns what was used since Start.
func (m *Meter) Used() Use {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Use{maps.Clone(m.use.DynamoDB), m.use.Reads, m.use.Writes, maps.Clone(m.use.S3), maps.Clone(m.use.Lambda)}
}

// Reset sets all counts to zero.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.use = Use{DynamoDB: map[string]int{}, S3: map[string]int{}, Lambda: map[string]int{}}
}

// Invoke counts an invocation of a function that no route calls.
func (m *Meter) Invoke(function string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.on {
		m.use.Lambda[function]++
	}
}

// Do implements aws.HTTPClient. It sends one request to DynamoDB at a time, so that it can read
// the items before and after each change.
func (m *Meter) Do(r *http.Request) (*http.Response, error) {
	_, operation, dynamo := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	m.mu.Lock()
	if !m.on {
		m.mu.Unlock()
		return m.next.Do(r)
	}
	if !dynamo {
		m.use.S3[class(r)]++
		m.mu.Unlock()
		return m.next.Do(r)
	}
	defer m.mu.Unlock()
	m.use.DynamoDB[operation]++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	reads, writes, response, err := m.measure(r, operation, body)
	if err != nil {
		m.t.Errorf("measure %s: %v", operation, err)
		return nil, err
	}
	m.use.Reads += reads
	m.use.Writes += writes
	return response, nil
}

// class returns the class in which a request to S3 is charged. Listings count as PUT. All
// requests of a multipart upload count as PUT, except the one that aborts it. Removing is free,
// also the removal of many objects with one POST.
func class(r *http.Request) string {
	query := r.URL.Query()
	lists := query.Has("list-type") || query.Has("uploads") || query.Has("uploadId")
	switch r.Method {
	case http.MethodDelete:
		return "DELETE"
	case http.MethodPost:
		if query.Has("delete") {
			return "DELETE"
		}
		return "PUT"
	case http.MethodGet, http.MethodHead:
		if lists {
			return "PUT"
		}
		return "GET"
	}
	return "PUT"
}

// send sends a request like r with another operation and body. The signature is still that of
// r, but the local servers do not check it.
func (m *Meter) send(r *http.Request, operation string, body []byte) (*http.Response, []byte, error) {
	prefix, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	again := r.Clone(r.Context())
	again.Header.Set("X-Amz-Target", prefix+"."+operation)
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response, err := m.next.Do(again)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	return response, answer, nil
}
