// Package console writes the output of many processes to one screen. It writes whole lines,
// each with the name of its process.
package console

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// nameWidth is the minimum width of a name, in characters. It aligns the lines of the usual
// names.
const nameWidth = 10

// maxLine is the maximum of bytes that are held back while a line has not ended.
const maxLine = 64 << 10

// Console writes whole lines. It may be used by many goroutines.
type Console struct {
	mu sync.Mutex
	w  io.Writer
}

// New returns a console on w.
func New(w io.Writer) *Console { return &Console{w: w} }

// Say writes a line of the stack itself.
func (c *Console) Say(format string, args ...any) {
	c.line("stack", fmt.Appendf(nil, format, args...))
}

// Print writes text without change. It is for text that a user copies.
func (c *Console) Print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.w, text)
}

// Lines returns a writer for the output of one process. Close writes the last line if that line
// has no newline.
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
