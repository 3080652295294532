package eventbus_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/local/eventbus"
	"github.com/opsplane/opsplane/infra/test/bustest"
)

// put sends entries as the client of AWS does, and returns the response.
func put(t *testing.T, url string, entries ...map[string]any) (status int, body string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Entries": entries})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

func entry(change map[string]any) map[string]any {
	e := map[string]any{"EventBusName": eventbus.Name, "Source": "opsplane", "DetailType": "run.queued", "Detail": `{"id":"a"}`, "Time": 4e9}
	for name, v := range change {
		e[name] = v
	}
	return e
}

// TestEventIsInTheFileAndAtTheTarget sends an event, and reads it in both places.
func TestEventIsInTheFileAndAtTheTarget(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- string(text)
	}))
	defer target.Close()
	file := filepath.Join(t.TempDir(), "events")
	b, err := eventbus.Start(eventbus.Options{Name: eventbus.Name, File: file, Target: target.URL, Report: func(line string) { t.Error(line) }})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := put(t, b.URL, entry(nil)); status != http.StatusOK || !strings.Contains(body, `"FailedEntryCount":0`) {
		t.Fatalf("%d %s", status, body)
	}
	sent := <-got
	b.Close()
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var e bustest.Event
	if err := json.Unmarshal(kept, &e); err != nil || e.DetailType != "run.queued" || e.Source != "opsplane" || string(e.Detail) != `{"id":"a"}` || e.Time.Unix() != 4e9 {
		t.Errorf("%s: %+v, %v", kept, e, err)
	}
	if sent != strings.TrimSpace(string(kept)) {
		t.Errorf("the target got %s, the file has %s", sent, kept)
	}
}

// TestBusRefusesWhatEventBridgeRefuses covers whole requests and single entries.
func TestBusRefusesWhatEventBridgeRefuses(t *testing.T) {
	t.Parallel()
	b, err := eventbus.Start(eventbus.Options{Name: eventbus.Name, File: filepath.Join(t.TempDir(), "events"), Report: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var eleven []map[string]any
	for range 11 {
		eleven = append(eleven, entry(nil))
	}
	large := entry(map[string]any{"Detail": `{"a":"` + strings.Repeat("x", 1<<20) + `"}`})
	for name, entries := range map[string][]map[string]any{
		"no entry": nil, "eleven entries": eleven, "more than 1 MB": {large}, "another bus": {entry(map[string]any{"EventBusName": "default"})},
	} {
		if status, body := put(t, b.URL, entries...); status != http.StatusBadRequest || !strings.Contains(body, "ValidationException") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for want, change := range map[string]map[string]any{
		"InvalidArgument": {"DetailType": ""}, "MalformedDetail": {"Detail": "[1]"}, "NotAuthorizedForSourceException": {"Source": "aws.s3"},
	} {
		status, body := put(t, b.URL, entry(nil), entry(change))
		if status != http.StatusOK || !strings.Contains(body, `"FailedEntryCount":1`) || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", want, status, body)
		}
	}
}

// TestTargetIsOnThisMachine checks that a local stack sends nothing to others.
func TestTargetIsOnThisMachine(t *testing.T) {
	t.Parallel()
	for target, ok := range map[string]bool{
		"http://127.0.0.1:9000/x": true, "http://localhost:9000": true, "http://[::1]:9000/": true,
		"http://example.com/": false, "http://10.0.0.1/": false, "https://127.0.0.1/": false, "127.0.0.1:9000": false, "": false,
		"http://127.0.0.1.example.com/": false, "http://127.0.0.1@example.com/": false,
	} {
		if err := eventbus.CheckTarget(target); (err == nil) != ok {
			t.Errorf("%s: %v", target, err)
		}
	}
}
