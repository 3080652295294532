//go:build unix

package build

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// tellEvery is the time between two lines about a long build.
const tellEvery = 5 * time.Second

// progress reads what "go build -v" prints: it tells of downloads, and from
// time to time of how many packages are compiled, and keeps the rest, which is
// what the compiler has to say.
type progress struct {
	report func(line string) // nil: nobody is told
	every  time.Duration

	rest     []byte // of a line
	compiled int
	told     time.Time
	output   strings.Builder
}

// Write implements io.Writer.
func (p *progress) Write(text []byte) (int, error) {
	p.rest = append(p.rest, text...)
	for {
		line, rest, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		p.line(string(line))
		p.rest = rest
	}
}

func (p *progress) line(line string) {
	switch {
	case line == "":
	case strings.HasPrefix(line, "go: downloading "):
		p.tell(strings.TrimPrefix(line, "go: "))
	case !strings.ContainsAny(line, " \t"): // the path of a package
		p.compiled++
		if time.Since(p.told) >= p.every {
			p.tell(fmt.Sprintf("packages compiled: %d", p.compiled))
		}
	default:
		p.output.WriteString(line + "\n")
	}
}

func (p *progress) tell(line string) {
	p.told = time.Now()
	if p.report != nil {
		p.report(line)
	}
}

// said returns what the compiler had to say.
func (p *progress) said() string {
	return strings.TrimSpace(p.output.String() + string(p.rest))
}
