// Package console puts the output of many processes on one screen: a line at
// a time, each with the name of who wrote it.
package console

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// nameWidth keeps the lines of the usual names aligned.
const nameWidth = 10

// maxLine is the most bytes held back for the rest of a line.
const maxLine = 64 << 10

// Console writes whole lines. It may be used by many goroutines.
type Console struct {
	mu sync.Mutex
	w  io.Writer
}

// New returns a console on w.
func New(w io.Writer) *Console { return &Console{w: w} }

// Say writes a line of the stack's own.
func (c *Console) Say(format string, args ...any) {
	c.line("stack", fmt.Appendf(nil, format, args...))
}

// Print writes text as it is, for what a user will copy.
func (c *Console) Print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.w, text)
}

// Lines returns a writer for the output of one process. Close writes a last
// line that has no end.
func (c *Console) Lines(name string) io.WriteCloser {
	return &lines{console: c, name: name}
}

func (c *Console) line(name string, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.w, "%-*s | %s\n", nameWidth, name, text)
}

type lines struct {
	console *Console
	name    string

	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			break
		}
		l.console.line(l.name, line)
		l.rest = rest
	}
	if len(l.rest) > maxLine {
		l.console.line(l.name, l.rest)
		l.rest = nil
	}
	return len(p), nil
}

// Close implements io.Closer.
func (l *lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.console.line(l.name, l.rest)
		l.rest = nil
	}
	return nil
}
