//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pause is the time between two checks of something that happens in the background.
const pause = 100 * time.Millisecond

// await repeats a check until it is true, for at most a minute.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(pause) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// list reads all pages of a list and returns one member of each row.
func list(t *testing.T, c *Client, target, rows, member string) (found []string) {
	t.Helper()
	for target != "" {
		resp := c.Do(t, "GET", target, "")
		resp.Want(t, 200)
		var page map[string][]map[string]any
		if err := json.Unmarshal([]byte(resp.Body), &page); err != nil {
			t.Fatalf("%s: %v: %s", target, err, resp.Body)
		}
		for _, row := range page[rows] {
			found = append(found, fmt.Sprint(row[member]))
		}
		target = resp.Next(t)
	}
	return found
}

// TestNewcomerGoesThroughTheDemo does what the README describes after "make demo": lists, a
// refresh, a deletion, and the audit trail of all of it.
func TestNewcomerGoesThroughTheDemo(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	var printed string
	for range 2 { // a second demo sends the same deliveries again
		cmd := exec.Command(s.programs.demo)
		cmd.Dir, cmd.Env = s.programs.root, append(os.Environ(), "STATE="+s.State)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("demo: %v: %s", err, out)
		}
		printed = string(out)
	}
	key, err := os.ReadFile(filepath.Join(s.State, "api-key"))
	if err != nil {
		t.Fatal(err)
	}
	c := s.Client(strings.TrimSpace(string(key)))
	for vcs, want := range map[string]struct {
		installation, archived, live      string
		before, after, left, pullRequests []string
	}{
		"github": {
			"424242", "99001144", "99001122",
			[]string{"infra", "legacy", "platform"},
			[]string{"infra", "legacy", "modules", "platform"},
			[]string{"infra", "modules", "platform"},
			[]string{"18", "17", "17"},
		},
		"gitlab": {
			"77", "503", "501",
			[]string{"dns", "network", "storage"},
			[]string{"backup", "dns", "network", "storage"},
			[]string{"backup", "dns", "network"},
			[]string{"3"},
		},
	} {
		base := "/api/v1/" + vcs + "/installations"
		if got := list(t, c, "/api/v1/user/"+vcs+"/installations", "installations", "id"); !slices.Contains(got, want.installation) {
			t.Errorf("%s: installations %v", vcs, got)
		}
		base += "/" + want.installation
		expect := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s %v, want %v", vcs, what, got, want)
			}
		}
		expect("repositories", list(t, c, base+"/repos?limit=1", "repositories", "name"), want.before)
		expect("pull requests", list(t, c, base+"/pull-requests?limit=1", "pull_requests", "pull_number"), want.pullRequests)
		completed(t, c, c.Do(t, "POST", base+"/repos/refresh", ""))
		expect("repositories after a refresh", list(t, c, base+"/repos?limit=2", "repositories", "name"), want.after)
		c.Do(t, "DELETE", base+"/repos/"+want.live, "").Want(t, 400)
		completed(t, c, c.Do(t, "DELETE", base+"/repos/"+want.archived, ""))
		expect("repositories after a deletion", list(t, c, base+"/repos", "repositories", "name"), want.left)
		trail := "/api/v1/audit?vcs=" + vcs + "&installation_id=" + want.installation
		await(t, "trail of the deletion", func() bool {
			return slices.Contains(list(t, c, trail+"&action=repository.remove", "results", "subject"), want.archived)
		})
		await(t, "trail of the tasks", func() bool {
			return len(list(t, c, trail+"&action=task.&limit=1", "results", "id")) >= 6 // each of the two was made, begun and ended
		})
	}
	pasteDemo(t, s, printed)
}

// pasteDemo runs the commands that the demo prints for pasting. Its refresh finds again what
// was deleted before.
func pasteDemo(t *testing.T, s *Stack, printed string) {
	t.Helper()
	_, script, found := strings.Cut(printed, "Try it: paste these lines into a shell in this folder.\n")
	if !found {
		t.Fatalf("the demo prints %s", printed)
	}
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = s.programs.root, append(os.Environ(), "STATE="+s.State)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("paste: %v: %s", err, out)
	}
	for _, want := range []string{
		`"id":"424242"`, `rel="next"`, `"pull_requests":[`, `"state":"completed"`, `"action":"repository.remove"`, "pull_request.opened",
		`"run_type":"apply"`, "Plan: 0 to add, 1 to change, 1 to destroy.", `"dir":"staging/app"`, `"branch":"broken"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("what was pasted answers no %s:\n%s", want, out)
		}
	}
}

// completed waits for the end of a task that a request has started.
func completed(t *testing.T, c *Client, started Response) {
	t.Helper()
	started.Want(t, 200)
	var task struct{ ID, State, Problem string }
	if err := json.Unmarshal([]byte(started.Body), &task); err != nil {
		t.Fatal(err)
	}
	await(t, "end of a task", func() bool {
		resp := c.Do(t, "GET", "/api/v1/tasks/"+task.ID, "")
		resp.Want(t, 200)
		if err := json.Unmarshal([]byte(resp.Body), &task); err != nil {
			t.Fatal(err)
		}
		return task.State != "pending" && task.State != "running"
	})
	if task.State != "completed" {
		t.Fatalf("task %+v", task)
	}
}

// TestTrailHasEachVisibleWriteOnceWithinSeconds reads records through the real stream, and
// reports how long they took.
func TestTrailHasEachVisibleWriteOnceWithinSeconds(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c, in := s.Member(t)
	trail := "/api/v1/audit?vcs=github&installation_id=" + in.ID + "&action=key."
	c.Do(t, "PUT", in.Path("key", "draft"), `{"data":"secret-value","committed":false}`)
	began := time.Now()
	written(t, c.Do(t, "PUT", in.Path("key", "one"), `{"data":"secret-value"}`))
	await(t, "record of a write", func() bool { return len(list(t, c, trail, "results", "id")) > 0 })
	t.Logf("a record could be read %d ms after its write", time.Since(began).Milliseconds())
	const many = 50
	for i := range many {
		written(t, c.Do(t, "PUT", in.Path("key", fmt.Sprint("many", i)), `{"data":1}`))
	}
	c.Do(t, "POST", in.Base()+"/commit", `{"keys":[{"key":"draft"}]}`).Want(t, 200)
	c.Do(t, "DELETE", in.Path("key", "one"), "").Want(t, 200)
	var actions []string
	await(t, "record of each write", func() bool { // they do not arrive in the order of the writes
		actions = list(t, c, trail+"&limit=20", "results", "action")
		return len(actions) >= many+3
	})
	counts := map[string]int{}
	for _, a := range actions {
		counts[a]++
	}
	if counts["key.write"] != many+1 || counts["key.commit"] != 1 || counts["key.remove"] != 1 {
		t.Errorf("records %v", counts)
	}
	if resp := c.Do(t, "GET", trail, ""); strings.Contains(string(resp.Body), "secret-value") {
		t.Error("the trail has a value")
	}
}
