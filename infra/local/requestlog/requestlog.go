// Package requestlog keeps the lines that functions log of requests in a file of
// bounded size, so that an operator can look one up by its id. Its invariant:
// the two files together never grow beyond twice the limit by more than a line.
package requestlog

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// Limit is how large the file may become, in bytes, before it takes the place of
// the one before it: some 25,000 requests.
const Limit = 16 << 20

// maxLine is the longest line that is kept, in bytes. A longer one is passed over
// as a whole: no request has one.
const maxLine = 64 << 10

// mark is what every line of a request has, and no other.
var mark = []byte(`"gateway_request_id"`)

// Log is the file. It may be used by many goroutines.
type Log struct {
	path  string
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
	err  error // of the last write: a full disk must not stop a function
}

// Open opens the file at path, for its owner alone, and goes on behind what it
// holds. What came before a limit was reached is in the file path + ".1".
func Open(path string, limit int64) (*Log, error) {
	l := &Log{path: path, limit: limit}
	return l, l.open()
}

func (l *Log) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return err
	}
	l.file, l.size = file, info.Size()
	return nil
}

// line writes a line of a request; others are passed over.
func (l *Log) line(text []byte) {
	if !bytes.Contains(text, mark) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	if l.size >= l.limit {
		if l.err = l.rotate(); l.err != nil {
			return
		}
	}
	n, err := l.file.Write(append(bytes.Clone(text), '\n'))
	l.size, l.err = l.size+int64(n), err
}

func (l *Log) rotate() error {
	_ = l.file.Close()
	l.file = nil
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return err
	}
	return l.open()
}

// Close ends the file and answers the last failure to write it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	return l.err
}

// Tee returns a writer that hands everything on to next, and keeps the lines of
// requests. It is for the output of one process.
func (l *Log) Tee(next io.WriteCloser) io.WriteCloser { return &tee{log: l, next: next} }

type tee struct {
	log  *Log
	next io.WriteCloser

	mu   sync.Mutex
	rest []byte // of a line that has not ended
	long bool   // the line that has not ended is too long already
}

// Write implements io.Writer.
func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.rest = append(t.rest, p...)
	for {
		line, rest, found := bytes.Cut(t.rest, []byte("\n"))
		if !found {
			break
		}
		if !t.long && len(line) <= maxLine {
			t.log.line(line)
		}
		t.rest, t.long = rest, false
	}
	if len(t.rest) > maxLine {
		t.rest, t.long = nil, true
	}
	t.mu.Unlock()
	return t.next.Write(p)
}

// Close implements io.Closer.
func (t *tee) Close() error { return t.next.Close() }
