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

// progress reads what "go build -v" prints. It reports downloads, and from time to time how
// many packages are compiled. It keeps all other lines: they are the compiler's messages.
type progress struct {
	report func(line string) // nil: nothing is reported
	every  time.Duration

	rest     []byte // the part of a line that has not ended
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

// said returns the compiler's messages.
func (p *progress) said() string {
	return strings.TrimSpace(p.output.String() + string(p.rest))
}
