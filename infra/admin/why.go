package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/login/user"
)

// Logs finds what the functions of a stack have logged.
type Logs interface {
	// Find returns the log lines that name a request, in any order. The id is the
	// gateway's id of the request, or that of an invocation. Each line is a JSON
	// object and is not older than since.
	Find(ctx context.Context, id string, since time.Time) ([]string, error)
}

// requestLine is what a line of the log says about a request.
type requestLine struct {
	Time         time.Time
	Function     string
	Request      string `json:"request_id"`
	Gateway      string `json:"gateway_request_id"`
	Route        string
	Status       int
	Principal    string
	Credential   string
	Fault        string
	Step, Why    string
	Error        string
	VCS          string
	Installation string
}

// requestID is the form of every id that a gateway or Lambda gives, and of an id
// that a caller may send instead. It allows no character that has a meaning in a
// filter of CloudWatch Logs.
var requestID = regexp.MustCompile(`^[A-Za-z0-9=_.:-]{1,128}$`)

// lookBack is how far back the command looks for requests, unless the operator
// gives another time.
const lookBack = 24 * time.Hour

func (o *Operator) why(ctx context.Context, args []string) error {
	fs := flags("why")
	back := fs.Duration("since", lookBack, "")
	found, err := parse(fs, args, "REQUEST-ID")
	if err != nil {
		return err
	}
	id := found[0]
	if !requestID.MatchString(id) {
		return usagef("%q is not the id of a request: the id is in the header x-amzn-requestid of the response", printable(id))
	}
	if *back <= 0 {
		return usagef("--since is how far back to look, such as 72h")
	}
	if o.Logs == nil {
		return errors.New("this command does not know where the stack's logs are: name the stack with --stack, or its folder with --state")
	}
	texts, err := o.Logs.Find(ctx, id, o.Now().Add(-*back))
	if err != nil {
		return err
	}
	lines := requestLines(texts, id)
	if len(lines) == 0 {
		return fmt.Errorf("no function has logged a request %s within the last %s. "+
			"Logs arrive some seconds late on AWS; look further back with --since; and a 404 or 429 of the gateway itself reaches no function", id, *back)
	}
	for _, line := range lines {
		if err := o.explain(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// requestLines reads the lines that belong to the request, the oldest first.
func requestLines(texts []string, id string) []requestLine {
	var lines []requestLine
	for _, text := range texts {
		var line requestLine
		// A line without a route is about something else that happened during a
		// request.
		if json.Unmarshal([]byte(text), &line) == nil && (line.Gateway == id || line.Request == id) && line.Route != "" {
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(a, b requestLine) int { return a.Time.Compare(b.Time) })
	return lines
}

// explain writes one log line for a person. A route or a principal may contain text
// from outside.
func (o *Operator) explain(ctx context.Context, line requestLine) error {
	outcome := "failed" // the authorizer could not find out whether to let the request in
	switch {
	case line.Step != "":
		outcome = "refused"
	case line.Status != 0:
		outcome = fmt.Sprintf("response %d", line.Status)
	}
	facts := []string{line.Time.UTC().Format(time.RFC3339) + " " + line.Function + ", " + line.Route + ": " + outcome}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fmt.Sprintf("  %-13s %s", name+":", printable(value)))
		}
	}
	add("step", line.Step)
	add("why", cmp.Or(line.Why, line.Error))
	if line.Step == "" {
		add("fault", line.Fault)
	}
	add("installation", strings.TrimSpace(line.VCS+" "+line.Installation))
	name, err := o.nameOf(ctx, line.Principal)
	if err != nil {
		return err
	}
	add("user", name)
	add("credential", line.Credential)
	facts[0] = printable(facts[0])
	return o.say("%s", strings.Join(facts, "\n"))
}

// nameOf returns a user's id, followed by the user's name if there is one.
func (o *Operator) nameOf(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	u, err := o.users().Get(ctx, id)
	if errors.Is(err, user.ErrNotFound) || err == nil && u.Name == "" {
		return id, nil
	}
	return fmt.Sprintf("%s (%s)", id, u.Name), err
}
