//go:build unix

package journey

import (
	"strings"
	"testing"
)

func TestDraftOfAFileIsPublishedTogetherWithOtherKeys(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	c.Store(t, in, "plan/lambda.zip", []byte("zip"), `,"committed":false`)
	written(t, c.Do(t, "PUT", in.Path("key", "plan/status"), `{"data":"ready","committed":false}`))
	target := in.Path("artifact/key", "plan/lambda.zip")
	c.Do(t, "GET", target, "").Want(t, 404)
	c.Do(t, "GET", target+"?committed=false", "").Want(t, 302)
	c.Do(t, "POST", in.Base()+"/commit", `{"keys":[{"key":"plan/lambda.zip"},{"key":"plan/status"}]}`).
		WantBody(t, `{"keys":[{"idx":0,"key":"plan/lambda.zip"},{"idx":0,"key":"plan/status"}]}`)
	c.Do(t, "GET", in.Path("key", "plan/status"), "").Want(t, 200)
	if _, got := Fetch(t, c.Open(t, in, "plan/lambda.zip")); string(got) != "zip" {
		t.Errorf("got %q, want the file", got)
	}
}

func TestFileReplacesARecordOnTheVersionAskedFor(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	written(t, c.Do(t, "PUT", in.Path("key", "k"), `{"data":1}`))
	target := in.Path("artifact/key", "k")
	// A condition that cannot be met is refused before a byte is sent.
	for _, condition := range []string{`,"if_absent":true`, `,"version":1`} {
		if resp := c.Do(t, "POST", target, Announcement([]byte("x"), condition)).Want(t, 400); len(resp.Body) != 0 {
			t.Errorf("got %v, want 400 without a body, as from cas", resp)
		}
	}
	won := c.Announce(t, in, "k", Announcement([]byte("won"), `,"version":0`))
	lost := c.Announce(t, in, "k", Announcement([]byte("lost"), `,"version":0`))
	won.send(t, []byte("won"))
	lost.send(t, []byte("lost"))
	if done := c.Complete(t, in, won.ID); !strings.Contains(string(done.Record), `"version":1`) {
		t.Errorf("got record %s, want version 1", done.Record)
	}
	if resp := c.Do(t, "POST", in.Base()+"/artifact/upload/"+lost.ID+"/complete", "").Want(t, 400); len(resp.Body) != 0 {
		t.Errorf("got %v, want 400 without a body, as from cas", resp)
	}
	if _, got := Fetch(t, c.Open(t, in, "k")); string(got) != "won" {
		t.Errorf("got %q, want the file that won", got)
	}
	c.Do(t, "GET", in.Base()+"/artifact/upload/"+won.ID, "").Want(t, 200)
}

func TestFileIsOverwrittenAndDeletedLikeAnyRecord(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	for _, key := range []string{"k", "", "upload/x", "../..", "a//b/"} {
		target := in.Path("artifact/key", key)
		c.Store(t, in, key, []byte("one"), "")
		u := c.Store(t, in, key, []byte("two"), "")
		if _, got := Fetch(t, c.Open(t, in, key)); string(got) != "two" || !strings.Contains(string(u.Record), `"version":1`) {
			t.Errorf("%q: got %q, record %s; want the second file at version 1", key, got, u.Record)
		}
		var now record
		c.Do(t, "PUT", in.Path("cas/key", key), `{"data":"text","version":1}`).Want(t, 200).Read(t, &now)
		wantFault(t, c.Do(t, "GET", target, ""), "NOT_AN_ARTIFACT")
		c.Store(t, in, key, []byte("three"), "")
		c.Do(t, "GET", target, "").Want(t, 302)
		c.Do(t, "DELETE", in.Path("key", key), "").WantBody(t, `{"result":true}`)
		c.Do(t, "GET", target, "").Want(t, 404)
		// The upload keeps the record that it made, even if the record has changed since.
		if again := c.Complete(t, in, u.ID); string(again.Record) != string(u.Record) {
			t.Errorf("%q: got record %s again, want %s", key, again.Record, u.Record)
		}
		c.Do(t, "GET", target, "").Want(t, 404)
	}
}

func TestCapabilitiesOfAnArtifactKeepOthersOut(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	in := s.Installation(t, "github")
	user := s.User(t, in)
	all := s.Client(s.Key(t, user, Capabilities()...))
	plain := s.Client(s.Key(t, user, "kv_store_read", "kv_store_write"))
	target := in.Path("artifact/key", "secret")
	all.Store(t, in, "secret", []byte("mine"), `,"read_caps":["kv_store_system_read"],"write_caps":["kv_store_system_write"]`)
	all.Do(t, "GET", target, "").Want(t, 302)
	plain.Do(t, "GET", target, "").Want(t, 404)
	plain.Do(t, "POST", target, Announcement([]byte("theirs"), "")).WantRefused(t)
	plain.Do(t, "POST", target, Announcement([]byte("theirs"), `,"version":0`)).Want(t, 400)
	// A client that announced an upload before the row was guarded is refused at the
	// completion.
	u := plain.Announce(t, in, "later", Announcement([]byte("theirs"), ""))
	u.send(t, []byte("theirs"))
	written(t, all.Do(t, "PUT", in.Path("key", "later"), `{"data":1,"write_caps":["kv_store_system_write"]}`))
	plain.Do(t, "POST", in.Base()+"/artifact/upload/"+u.ID+"/complete", "").WantRefused(t)
	if _, got := Fetch(t, all.Open(t, in, "secret")); string(got) != "mine" {
		t.Errorf("got %q, want the file as it was first stored", got)
	}
}
