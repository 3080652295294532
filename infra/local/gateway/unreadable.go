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

// readHeaderTimeout is the maximum time in which a client must send a request's headers.
const readHeaderTimeout = 30 * time.Second

// Server returns an HTTP server for the gateway. It must serve the listener that Listen
// returns.
func (g *Gateway) Server() *http.Server {
	return &http.Server{
		Handler: g, ReadHeaderTimeout: readHeaderTimeout,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" has no route either
	}
}

// Listen returns a listener. On its connections every response has the gateway's form. Package
// net/http itself refuses a request that it cannot read, in plain text and before it calls a
// handler. Examples are a request with %zz in its path, with an invalid header, or with too
// many headers. API Gateway responds to such a request as the template states for DEFAULT_4XX.
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

// conn is a connection with a client.
type conn struct {
	net.Conn
	gateway *Gateway
}

// CloseWrite closes the sending direction. net/http does this after it has refused a request
// and before it closes the connection, so that the client can read the whole response.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// The start and the headers of a response that net/http makes itself. net/http writes such a
// response in one call. A handler's response has a Date, and begins with other headers.
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

// plainStatus returns the status of a response that net/http made itself. It returns false if p
// is not such a response.
func plainStatus(p []byte) (int, bool) {
	line, _, found := bytes.Cut(p, plainHeaders)
	if !found || !bytes.HasPrefix(line, plainStart) || bytes.Contains(line, []byte("\r\n")) {
		return 0, false
	}
	code, _, _ := bytes.Cut(line[len(plainStart):], []byte(" "))
	status, err := strconv.Atoi(string(code))
	if status >= http.StatusInternalServerError {
		status = http.StatusBadRequest // a version or an encoding of HTTP that the server does not know
	}
	return status, err == nil && status >= http.StatusBadRequest
}

// unreadable returns the whole response to a request that cannot be read.
func (g *Gateway) unreadable(status int) []byte {
	w := &rawAnswer{header: http.Header{"Connection": {"close"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}}
	g.refuseWith(w, &call{request: &http.Request{}, id: uuid.NewString()}, defaultClientRefusal, status)
	return w.bytes()
}

// rawAnswer is a response that is written without an http.Server.
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
