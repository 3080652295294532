package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/infra/local/demohost"
	"github.com/opsplane/opsplane/infra/local/state"
)

// client sends what people do to the stand-ins.
type client struct {
	url string
	out io.Writer
}

func run(args []string, folder string, out io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		_, err := io.WriteString(out, usage)
		return err
	}
	address, err := find(cmp.Or(folder, ".local"))
	if err != nil {
		return err
	}
	c := client{address, out}
	switch {
	case args[0] == "limit":
		return c.limit(args[1:])
	case args[0] == "pr" && len(args) > 1:
		return c.pull(args[1], args[2:])
	}
	return fmt.Errorf("%q is no command: help lists them", strings.Join(args, " "))
}

// find returns the address of the stand-ins of the stack in a folder.
func find(folder string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, state.Description))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no local stack runs on %s: start one with make run, then try again", folder)
	}
	if err != nil {
		return "", err
	}
	var stack struct {
		Hosts string `json:"hosts_url"`
	}
	if err := json.Unmarshal(text, &stack); err != nil {
		return "", err
	}
	if stack.Hosts == "" {
		return "", errors.New("the local stack uses hosts of yours: nothing stands in for GitHub and GitLab")
	}
	return stack.Hosts, nil
}

// options are what the flags say.
type options struct {
	demohost.Deed
	host, repository string
}

// parse reads flags and other arguments, in any order.
func parse(args []string) (o options, rest []string, err error) {
	flags := flag.NewFlagSet("host", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.host, "host", "github", "")
	flags.StringVar(&o.repository, "repo", "", "")
	flags.StringVar(&o.As, "as", "", "")
	flags.StringVar(&o.Branch, "branch", "", "")
	flags.StringVar(&o.Dir, "dir", "", "")
	flags.StringVar(&o.Title, "title", "", "")
	flags.StringVar(&o.Method, "method", "merge", "")
	flags.BoolVar(&o.Draft, "draft", false, "")
	flags.Func("remove", "", func(path string) error {
		o.Remove = append(o.Remove, path)
		return nil
	})
	flags.Func("write", "", func(pair string) error {
		path, file, ok := strings.Cut(pair, "=")
		if !ok {
			return errors.New("write PATH=FILE")
		}
		text, err := os.ReadFile(file)
		if o.Write == nil {
			o.Write = map[string]string{}
		}
		o.Write[path] = string(text)
		return err
	})
	for {
		if err := flags.Parse(args); err != nil {
			return o, nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
	usual, ok := map[string]string{"github": "acme/infra", "gitlab": "acme-group/network"}[o.host]
	if !ok {
		return o, nil, errors.New("the hosts are github and gitlab")
	}
	o.repository = cmp.Or(o.repository, usual)
	return o, rest, nil
}

// methods are what can be done with a pull request that exists.
var methods = []string{"push", "comment", "approve", "reject", "withdraw", "merge", "close", "reopen", "draft", "ready"}

// pull does something with a pull request.
func (c client) pull(what string, args []string) error {
	o, rest, err := parse(args)
	if err != nil {
		return err
	}
	at := "/" + o.host + "/" + o.repository + "/pulls"
	if what == "open" {
		return c.post(at, o.Deed)
	}
	number := "newest"
	if len(rest) > 0 {
		if _, err := strconv.ParseInt(rest[0], 10, 64); err == nil {
			number, rest = rest[0], rest[1:]
		}
	}
	if what == "show" {
		return c.show(at + "/" + number)
	}
	if !slices.Contains(methods, what) {
		return fmt.Errorf("%q is nothing that can be done with a pull request: help lists it", what)
	}
	o.Text = strings.Join(rest, " ")
	return c.post(at+"/"+number+"/"+what, o.Deed)
}

func (c client) limit(args []string) error {
	o, rest, err := parse(args)
	if err != nil {
		return err
	}
	if len(rest) == 2 {
		var minutely, hourly error
		o.Minutely, minutely = strconv.Atoi(rest[0])
		o.Hourly, hourly = strconv.Atoi(rest[1])
		err = errors.Join(minutely, hourly)
	} else if len(rest) != 1 || rest[0] != "off" {
		err = errors.New("limit MINUTE HOUR, or limit off")
	}
	if err != nil {
		return err
	}
	return c.post("/"+o.host+"/limits", o.Deed)
}

// post sends a deed.
func (c client) post(path string, deed demohost.Deed) error {
	body, err := json.Marshal(deed)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.send(r)
}

// show prints a pull request.
func (c client) show(path string) error {
	r, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/plain")
	return c.send(r)
}

// send sends a request and prints the response.
func (c client) send(r *http.Request) error {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("the stand-ins do not respond: does the local stack run? %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(text)))
	}
	_, err = c.out.Write(text)
	return err
}
