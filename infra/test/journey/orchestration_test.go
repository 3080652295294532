//go:build unix

package journey

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// team is the people at a repository of a host that stands in.
type team struct {
	t  *testing.T
	s  *Stack
	at demoRepository
}

// do does something at the host.
func (c team) do(args ...string) string {
	c.t.Helper()
	return c.s.person(c.t, append(args, "--host", string(c.at.vcs), "--repo", c.at.owner+"/"+c.at.name)...)
}

var opened = regexp.MustCompile(`number (\d+)`)

// open opens a pull request with files, and returns its number.
func (c team) open(branch string, files map[string]string) string {
	c.t.Helper()
	args := []string{"pr", "open"}
	if branch != "" {
		args = append(args, "--branch", branch)
	}
	folder := c.t.TempDir()
	for path, text := range files {
		file := filepath.Join(folder, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			c.t.Fatal(err)
		}
		args = append(args, "--write", path+"="+file)
	}
	found := opened.FindStringSubmatch(c.do(args...))
	if found == nil {
		c.t.Fatal("the host does not say which number the pull request has")
	}
	return found[1]
}

// shows waits until the page of a pull request has all parts.
func (c team) shows(number string, parts ...string) string {
	c.t.Helper()
	page := ""
	defer func() {
		if c.t.Failed() {
			c.t.Logf("the page of pull request %s:\n%s", number, page)
		}
	}()
	await(c.t, fmt.Sprintf("%s: pull request %s shows %q", c.at.vcs, number, parts), func() bool {
		page = c.do("pr", "show", number)
		for _, part := range parts {
			if !strings.Contains(page, part) {
				return false
			}
		}
		return true
	})
	return page
}

// says comments on a pull request.
func (c team) says(number, text string) { c.do("pr", "comment", number, text) }

// known waits until the API shows that a pull request is in a state. What people do later
// comes after that.
func (c team) known(client *Client, number, state string) {
	c.t.Helper()
	await(c.t, "the API shows the state of pull request "+number, func() bool {
		var page struct {
			Pulls []pullAtAPI `json:"pull_requests"`
		}
		client.Do(c.t, "GET", c.at.path("/pull-requests"), "").Want(c.t, 200).Read(c.t, &page)
		return slices.ContainsFunc(page.Pulls, func(p pullAtAPI) bool { return fmt.Sprint(p.Number) == number && p.State == state })
	})
}

// resource returns a file with a resource.
func resource(name, input string) string {
	return fmt.Sprintf("resource \"terraform_data\" %q {\n  input = %q\n}\n", name, input)
}

// TestPullRequestBecomesAPlanAndAnApply goes the way of a pull request with both hosts: push,
// plan, approve, apply, merge. A second pull request waits for the lock of the first one. Then
// a run that hangs is unlocked, and drift is found and reconciled.
func TestPullRequestBecomesAPlanAndAnApply(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	for _, at := range []demoRepository{demoGitHub, demoGitLab} {
		t.Run(string(at.vcs), func(t *testing.T) {
			t.Parallel()
			client := s.demoMember(t, at)
			c := team{t, s, at}
			first := c.open("story-1", map[string]string{"story/net/main.tf": resource("story", "one")})
			c.shows(first, "## Plan: 1 directory", "1 to create", "pending  terrateam apply")
			second := c.open("story-2", map[string]string{"story/net/more.tf": resource("more", "two")})
			c.shows(second, "## Plan: 1 directory")
			c.do("pr", "approve", first)
			c.says(first, "terraform apply")
			c.shows(first, "## Apply: 1 directory", "1 created", "success  terrateam apply")
			c.says(second, "terraform apply")
			c.shows(second, "Not applied: a plan is missing")
			c.says(second, "OpenTofu is better")
			c.says(second, "tofu plan")
			c.shows(second, "To apply all of it: `tofu apply`")
			c.says(second, "tofu apply")
			c.shows(second, "Not applied: locked", "merge it, or unlock it there")
			c.do("pr", "merge", first)
			c.known(client, first, "merged")
			c.says(second, "terraform plan")
			c.shows(second, "To apply all of it: `terraform apply`")
			c.says(second, "terraform apply")
			c.shows(second, "## Apply: 1 directory", "success  terrateam apply")
			made := client.Do(t, "GET", at.path("/work-manifests?q="+fmt.Sprintf("pr%%3A%s", second)), "").Want(t, 200)
			for _, part := range []string{`"run_type":"plan"`, `"run_type":"apply"`, `"user":"ann"`} {
				if !strings.Contains(string(made.Body), part) {
					t.Errorf("the list of runs does not have %s: %s", part, string(made.Body))
				}
			}
			c.do("pr", "merge", second)
			hung := c.open("runner/hangs", map[string]string{"story/hang/main.tf": resource("hang", "three")})
			await(t, "a plan that hangs", func() bool {
				return strings.Contains(string(client.Do(t, "GET", at.path("/work-manifests?q=state%3Arunning+and+pr%3A"+hung), "").Want(t, 200).Body), `"state":"running"`)
			})
			c.says(hung, "terraform unlock")
			c.shows(hung, "Unlocked", "1 run was aborted")
			c.drift(client)
		})
	}
}

// drift merges a schedule for drift. A resource that nobody applied is found and applied.
func (c team) drift(client *Client) {
	c.t.Helper()
	number := c.open("story-drift", map[string]string{
		"story/drift/main.tf": resource("drift", "four"),
		".terrateam/config.yml": "drift:\n  enabled: true\n  schedules:\n    daily: { schedule: daily, tag_query: 'dir:story/drift', reconcile: true }\n" +
			"workflows:\n  - { tag_query: 'dir:story/drift', lock_policy: none }\n", // otherwise the merge locks it until somebody applies it
	})
	c.shows(number, "## Plan")
	c.do("pr", "merge", number)
	await(c.t, "drift is found and reconciled", func() bool {
		found := string(client.Do(c.t, "GET", c.at.path("/work-manifests?q=kind%3Adrift"), "").Want(c.t, 200).Body)
		return strings.Contains(found, `"run_type":"apply"`) && strings.Contains(found, `"state":"completed"`) && !strings.Contains(found, `"state":"queued"`) && !strings.Contains(found, `"state":"running"`)
	})
}
