package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// ask runs a command line against the state folder of a local stack.
func ask(t *testing.T, state, line string) (code int, out, notes string) {
	t.Helper()
	env := map[string]string{"STATE": state, "USER": "ann"}
	var o, n bytes.Buffer
	code = run(context.Background(), strings.Fields(line), func(name string) string { return env[name] }, &o, &n)
	return code, o.String(), n.String()
}

// describe writes the description of a local stack and returns its folder.
func describe(t *testing.T, url string, tables map[string]string) string {
	t.Helper()
	state := t.TempDir()
	text, err := json.Marshal(map[string]any{"dynamodb_url": url, "tables": tables})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "stack.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return state
}

func TestOnTheLocalStack(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	state := describe(t, env.DynamoDBURL, map[string]string{
		"TokensTable": env.Table("TokensTable"), "SigningKeysTable": env.Table("SigningKeysTable"), "OperationsTable": env.Table("OperationsTable"),
		"DeliveriesTable": env.Table("DeliveriesTable"), "AuditTable": env.Table("AuditTable"),
	})
	for _, c := range []struct {
		line       string
		code       int
		out, notes string // what each contains; nothing means empty
	}{
		{"user create ann", 0, "user ann created", ""},
		{"key create --user ann --capability kv_store_read", 0, "opk_", "cannot be shown again"},
		{"key create --user bob", exitFailed, "", "make it first: user create bob"},
		{"key create", exitUsage, "", "usage: key create --user NAME"},
		{"fly", exitUsage, "", "help"},
		{"", exitUsage, "", "help"},
		{"--fly", exitUsage, "", "fly"},
		{"help", 0, "key create --user NAME", ""},
		{"--help", 0, "key create --user NAME", ""},
		{"seed", exitUsage, "", "keeps its first key in its folder"},
		{"key list --stack", exitUsage, "", "stack"},
		{"--stack production seed", exitUsage, "", "local"},
	} {
		code, out, notes := ask(t, state, c.line)
		if code != c.code || !like(out, c.out) || !like(notes, c.notes) {
			t.Errorf("%q: code %d, out %q, notes %q; want %d, %q, %q", c.line, code, out, notes, c.code, c.out, c.notes)
		}
	}
}

// like reports whether got contains want. If want is empty, got must be empty.
func like(got, want string) bool {
	return (got == "") == (want == "") && strings.Contains(got, want)
}

func TestWithoutARunningStack(t *testing.T) {
	t.Parallel()
	if code, _, notes := ask(t, t.TempDir(), "key list"); code != exitFailed || !strings.Contains(notes, "make run") {
		t.Errorf("no description: code %d, %q; want %d and what to do", code, notes, exitFailed)
	}
	// This address was in use a moment ago, like that of a stopped stack.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	state := describe(t, url, map[string]string{"TokensTable": "a", "SigningKeysTable": "b", "OperationsTable": "c", "DeliveriesTable": "d", "AuditTable": "e"})
	if code, _, notes := ask(t, state, "key list"); code != exitFailed || !strings.Contains(notes, "make run") {
		t.Errorf("stopped: code %d, %q; want %d and what to do", code, notes, exitFailed)
	}
	incomplete := describe(t, url, map[string]string{"TokensTable": "a"})
	if code, _, notes := ask(t, incomplete, "key list"); code != exitFailed || !strings.Contains(notes, "SigningKeysTable") {
		t.Errorf("incomplete: code %d, %q; want %d and the table's name", code, notes, exitFailed)
	}
}
