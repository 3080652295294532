//go:build unix

package runtimeapi

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// invocation is one event on its way through an instance.
type invocation struct {
	id       string
	payload  []byte
	deadline time.Time
	arn      string
	result   chan result // buffered: the response may arrive when nobody waits for it
}

type result struct {
	payload []byte
	err     error
}

// protocol is the server side of the Lambda Runtime API for one instance.
type protocol struct {
	work  chan *invocation
	ready chan struct{} // closed at the first request for an event
	once  sync.Once

	mu      sync.Mutex
	current *invocation
	initErr *FunctionError
}

func newProtocol() *protocol {
	return &protocol{work: make(chan *invocation), ready: make(chan struct{})}
}

func (p *protocol) handler() http.Handler {
	mux := http.NewServeMux()
	const root = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+root+"invocation/next", p.next)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", p.response)
	mux.HandleFunc("POST "+root+"invocation/{id}/error", p.failure)
	mux.HandleFunc("POST "+root+"init/error", p.initFailure)
	return mux
}

func (p *protocol) next(w http.ResponseWriter, r *http.Request) {
	p.once.Do(func() { close(p.ready) })
	var in *invocation
	select {
	case in = <-p.work:
	case <-r.Context().Done():
		return
	}
	p.mu.Lock()
	p.current = in
	p.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(in.payload)))
	h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", in.arn)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
	_, _ = w.Write(in.payload)
}

func (p *protocol) response(w http.ResponseWriter, r *http.Request) {
	in := p.take(r.PathValue("id"))
	if in == nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		in.result <- result{err: &FunctionError{Type: ResponseSizeTooLarge, Message: "the answer is larger than 6 MB"}}
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
		return
	case err != nil:
		in.result <- result{err: &FunctionError{Type: ExitError, Message: "the answer broke off"}}
		return
	}
	// A function that fails while it streams its response says so in a trailer.
	if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		text, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		in.result <- result{err: reported(text)}
	} else {
		in.result <- result{payload: body}
	}
	accept(w)
}

func (p *protocol) failure(w http.ResponseWriter, r *http.Request) {
	in := p.take(r.PathValue("id"))
	if in == nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID")
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	in.result <- result{err: reported(body)}
	accept(w)
}

func (p *protocol) initFailure(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	p.mu.Lock()
	p.initErr = reported(body)
	p.mu.Unlock()
	accept(w)
}

// take returns the current invocation if it has this id, and ends it for the protocol.
func (p *protocol) take(id string) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := p.current
	if in == nil || in.id != id {
		return nil
	}
	p.current = nil
	return in
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"errorType":"`+kind+`","errorMessage":"refused"}`)
}
