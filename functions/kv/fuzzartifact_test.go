package main

import (
	"encoding/json"
	"mime"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/kv/artifact"
)

var sumForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// FuzzArtifactBody checks a body that announces an upload. It must be refused, or
// mean what its members say. The parsed announcement, sent again, must mean the
// same. No value that S3 receives as a header may break the header.
func FuzzArtifactBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		e, ok := tell(t, "POST", "/artifact/key/k", body)
		if !ok {
			return
		}
		m, n := members(t, body), e.upload
		checkMember(t, m, "size", n.File.Size, nil)
		checkMember(t, m, "idx", n.Idx, 0)
		checkMember(t, m, "committed", n.Committed, true)
		checkMember(t, m, "if_absent", n.Absent, false)
		checkCaps(t, m["read_caps"], n.ReadCaps)
		checkCaps(t, m["write_caps"], n.WriteCaps)
		var sum string
		if err := json.Unmarshal(m["sha256"], &sum); err != nil || strings.ToLower(sum) != n.File.SHA256 || !sumForm.MatchString(n.File.SHA256) {
			t.Fatalf("%q was understood as %+v", body, n.File)
		}
		if n.File.Size < 0 || n.File.Size > artifact.MaxSize {
			t.Fatalf("%q was understood as %+v", body, n.File)
		}
		for _, text := range []string{n.File.ContentType, n.File.Name} {
			if strings.ContainsFunc(text, control) {
				t.Fatalf("%q was understood as %+v", body, n.File)
			}
		}
		if _, _, err := mime.ParseMediaType(n.File.ContentType); err != nil || strings.ContainsAny(n.File.Name, `/\`) {
			t.Fatalf("%q was understood as %+v (%v)", body, n.File, err)
		}
		again, ok := tell(t, "POST", "/artifact/key/k", announcement(t, n))
		if !ok || !reflect.DeepEqual(again, e) {
			t.Fatalf("%q was understood as %+v, and that as %+v", body, n, again.upload)
		}
	})
}

// announcement returns the body for a parsed announcement.
func announcement(t *testing.T, n *artifact.New) []byte {
	t.Helper()
	m := map[string]any{
		"size": n.File.Size, "sha256": n.File.SHA256, "content_type": n.File.ContentType, "idx": n.Idx,
		"committed": n.Committed, "if_absent": n.Absent, "read_caps": n.ReadCaps, "write_caps": n.WriteCaps,
	}
	if n.File.Name != "" {
		m["file_name"] = n.File.Name
	}
	if n.Version != nil {
		m["version"] = *n.Version
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
