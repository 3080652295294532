//go:build unix

package gateway

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// readHeaderTimeout is how long a client may take to send a request's headers.
const readHeaderTimeout = 30 * time.Second

// Server answers a HTTP server for the gateway. Have it serve what Listen returns.
func (g *Gateway) Server() *http.Server {
	return &http.Server{
		Handler: g, ReadHeaderTimeout: readHeaderTimeout,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is no route either
	}
}

// Listen makes the connections of a listener ones on which every answer has the
// gateway's form. Package net/http answers a request that it cannot read itself,
// in plain text and before any handler: one with %zz in its path, with a header
// that is none, or with too many of them. The real gateway answers such a request
// as the template says for DEFAULT_4XX.
func (g *Gateway) Listen(l net.Listener) net.Listener { return listener{l, g} }

type listener struct {
	net.Listener
	gateway *Gateway
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, gateway: l.gateway}, nil
}

// conn is a connection of a client.
type conn struct {
	net.Conn
	gateway *Gateway
}

// CloseWrite ends what is sent to the client, as net/http does before it closes
// a connection on which it has refused a request: the client can read the answer
// to its end.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// The start and the headers of an answer that net/http makes itself. It writes
// such an answer in one piece. Answers of handlers have a Date, and begin with
// other headers than these.
var (
	plainStart   = []byte("HTTP/1.1 ")
	plainHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
)

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	status, ok := plainStatus(p)
	if !ok {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(c.gateway.unreadable(status)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// plainStatus answers the status of an answer that net/http makes itself; false
// if p is none.
func plainStatus(p []byte) (int, bool) {
	line, _, found := bytes.Cut(p, plainHeaders)
	if !found || !bytes.HasPrefix(line, plainStart) || bytes.Contains(line, []byte("\r\n")) {
		return 0, false
	}
	code, _, _ := bytes.Cut(line[len(plainStart):], []byte(" "))
	status, err := strconv.Atoi(string(code))
	if status >= http.StatusInternalServerError {
		status = http.StatusBadRequest // a version or encoding of HTTP that the server does not know
	}
	return status, err == nil && status >= http.StatusBadRequest
}

// unreadable is the whole answer to a request that cannot be read.
func (g *Gateway) unreadable(status int) []byte {
	w := &rawAnswer{header: http.Header{"Connection": {"close"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}}
	g.refuseWith(w, &call{request: &http.Request{}, id: uuid.NewString()}, defaultClientRefusal, status)
	return w.bytes()
}

// rawAnswer is an answer that no http.Server writes.
type rawAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *rawAnswer) Header() http.Header         { return w.header }
func (w *rawAnswer) WriteHeader(status int)      { w.status = status }
func (w *rawAnswer) Write(p []byte) (int, error) { return w.body.Write(p) }

func (w *rawAnswer) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&b)
	b.WriteString("\r\n")
	b.Write(w.body.Bytes())
	return b.Bytes()
}
