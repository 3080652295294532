// Package requestlog keeps the functions' log lines about requests in a file of bounded size.
// An operator can look up a request by its id. Invariant: the two files together exceed twice
// the limit by at most one line.
package requestlog

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// Limit is the maximum size of the file in bytes, enough for some 25,000 requests. When the
// file reaches it, the file replaces the previous one, and a new file begins.
const Limit = 16 << 20

// maxLine is the maximum length, in bytes, of a line that is kept. A longer line is left out as
// a whole. No request's line is that long.
const maxLine = 64 << 10

// mark is in every line about a request, and in no other line.
var mark = []byte(`"gateway_request_id"`)

// Log is the log file. It may be used by many goroutines.
type Log struct {
	path  string
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
	err  error // of the last write. A full disk must not stop a function
}

// Open opens the file at path, readable by its owner only, and appends to it. After the file
// has reached limit, the earlier lines are in the file path + ".1".
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

// line writes a line about a request. It leaves out other lines.
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

// Close closes the file and returns the last error of a write.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	return l.err
}

// Tee returns a writer for the output of one process. It passes everything on to next, and
// keeps the lines about requests.
func (l *Log) Tee(next io.WriteCloser) io.WriteCloser { return &tee{log: l, next: next} }

type tee struct {
	log  *Log
	next io.WriteCloser

	mu   sync.Mutex
	rest []byte // the part of a line that has not ended
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
