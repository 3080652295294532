//go:build unix

package journey

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// problem is the JSON form of an error that has a text.
type problem struct{ ID, Data string }

func TestValueThatIsAcceptedCanBeReadAndALargerOneIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	const limit = 6<<20 - 64<<10 // kv.MaxEscapedValue
	for name, v := range map[string]struct {
		value    string
		accepted bool
	}{
		"5 MB":                            {`"` + strings.Repeat("x", 5<<20) + `"`, true},
		"just under the limit":            {`"` + strings.Repeat("x", limit-8) + `"`, true},
		"just above the limit":            {`"` + strings.Repeat("x", limit+1) + `"`, false},
		"above what a function carries":   {`"` + strings.Repeat("x", 6<<20) + `"`, false},
		"above what the gateway carries":  {`"` + strings.Repeat("x", 11<<20) + `"`, false},
		"many bytes to a character":       {`"` + strings.Repeat("\u20ac", limit/3-8) + `"`, true},
		"grows when quoted, fits":         {`"` + strings.Repeat(`\"`, 1<<20) + `"`, true},
		"grows when quoted, does not fit": {`"` + strings.Repeat(`\"`, 2<<20) + `"`, false},
		"many numbers":                    {"[" + strings.Repeat("1,", 1<<20) + "1]", true},
	} {
		t.Run(name, func(t *testing.T) {
			key := in.Path("key", name)
			resp := c.Do(t, "PUT", key, `{"data":`+v.value+`}`)
			if !v.accepted {
				var p problem
				resp.Want(t, http.StatusRequestEntityTooLarge).Read(t, &p)
				if !strings.Contains(p.Data, "idx") {
					t.Errorf("got %+v, want words that say how to store more", p)
				}
				c.Do(t, "GET", key, "").Want(t, 404)
				return
			}
			written(t, resp)
			var got record
			c.Do(t, "GET", key, "").Want(t, 200).Read(t, &got)
			if string(got.Data) != v.value {
				t.Errorf("got %d bytes back, want the %d that were written", len(got.Data), len(v.value))
			}
		})
	}
}

func TestBodyThatCannotBeReadIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c, in := s.Member(t)
	key := in.Path("key", "k")
	for body, want := range map[string]string{
		"":                                    "",
		"{":                                   "JSON",
		`{"data":1}x`:                         "JSON",
		`[]`:                                  "object",
		`{}`:                                  "data",
		`{"data":1,"idx":"0"}`:                "idx",
		`{"data":1,"idx":40000}`:              "idx",
		`{"data":1,"committed":"yes"}`:        "committed",
		`{"data":1,"read_caps":["nonsense"]}`: "nonsense",
		`{"data":1,"write_caps":"x"}`:         "write_caps",
		`{"data":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}`: "256 deep",
		`{"data":1,"comitted":false}`:                   "did you mean committed",
		`{"data":1,"Committed":false}`:                  "did you mean committed",
		`{"data":1,"committed":true,"committed":false}`: "twice",
	} {
		var p problem
		resp := c.Do(t, "PUT", key, body)
		resp.Want(t, 400).Read(t, &p)
		if p.ID == "" || !strings.Contains(p.Data, want) {
			t.Errorf("%.40q: got %+v, want words about %q", body, p, want)
		}
	}
	for contentType, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "text/javascript": 200, "text/plain": 400, "application/x-www-form-urlencoded": 400,
	} {
		s.Do(t, Request{
			Method: "PUT", Target: in.Path("key", "typed"), Authorization: Bearer(c.Token(t)),
			Header: http.Header{"Content-Type": {contentType}}, Body: `{"data":1,"idx":2}`,
		}).Want(t, status)
	}
	c.Do(t, "GET", key, "").Want(t, 404)
}

func TestBadParameterIsNamed(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	key, iter, list := in.Path("key", "k"), in.Path("iter", "k"), "/api/v1/github/access-token"
	for request, name := range map[string]string{
		"GET " + key + "?idx=":                             "idx",
		"GET " + key + "?idx=x":                            "idx",
		"GET " + key + "?idx=32768":                        "idx",
		"GET " + key + "?committed=yes":                    "committed",
		"GET " + key + "?select=noequals":                  "select",
		"GET " + key + "?select=a=b[":                      "select",
		"DELETE " + key + "?version=x":                     "version",
		"DELETE " + key + "?idx=1.5":                       "idx",
		"GET " + in.Path("size/key", "k") + "?idx=a":       "idx",
		"GET " + in.Path("count/key", "k") + "?committed=": "committed",
		"GET " + iter + "?limit=x":                         "limit",
		"GET " + iter + "?limit=-1":                        "limit",
		"GET " + iter + "?limit=10001":                     "limit",
		"GET " + iter + "?inclusive=1":                     "inclusive",
		"GET " + iter + "?prefix=":                         "prefix",
		"GET " + iter + "?include_data=maybe":              "include_data",
		"GET " + iter + "?cursor=@@":                       "cursor",
		"DELETE " + list:                                   "id",
		"DELETE " + list + "?id=nonsense":                  "id",
		"GET " + list + "?limit=0":                         "limit",
		"GET " + list + "?limit=x":                         "limit",
		"GET " + list + "?page=n":                          "page",
		"GET " + list + "?page=x&page=a":                   "page",
		"GET /api/v1/tasks/nonsense":                       "id",
	} {
		method, target, _ := strings.Cut(request, " ")
		var p problem
		c.Do(t, method, target, "").Want(t, 400).Read(t, &p)
		if !strings.Contains(p.Data, name) {
			t.Errorf("%s: got %+v, want words that name %s", request, p, name)
		}
	}
	for body, word := range map[string]string{
		`{"capabilities":[]}`:                  "name",
		`{"name":"x"}`:                         "capabilities",
		`{"name":1,"capabilities":[]}`:         "name",
		`{"name":"x","capabilities":["root"]}`: "root",
		`{"name":"x","capabilities":[{"name":"vcs","vcs":"github","x":1}]}`:                "capability",
		`{"name":"x","capabilities":[],"expires_at":"tomorrow"}`:                           "expires_at",
		`{"name":"x","capabilities":[],"expires_at":"2001-01-01T00:00:00Z"}`:               "expires_at",
		`{"name":"` + strings.Repeat("n", 300) + `","capabilities":[]}`:                    "name",
		`{"name":"x","capabilities":[],"description":"` + strings.Repeat("d", 2000) + `"}`: "description",
	} {
		var p problem
		create(t, c, "github", body).Want(t, 400).Read(t, &p)
		if !strings.Contains(p.Data, word) {
			t.Errorf("%.60s: got %+v, want words about %s", body, p, word)
		}
	}
	var entries []map[string]string
	for i := range 101 {
		entries = append(entries, map[string]string{"key": fmt.Sprint(i)})
	}
	body, err := json.Marshal(map[string]any{"keys": entries})
	if err != nil {
		t.Fatal(err)
	}
	var p problem
	c.Do(t, "POST", in.Base()+"/commit", string(body)).Want(t, 400).Read(t, &p)
	if !strings.Contains(p.Data, "100") {
		t.Errorf("commit of 101 keys: got %+v, want words that name the limit of 100", p)
	}
}

// slowly writes a request in two halves with a pause between them. If whole is false, it leaves
// out the second half.
func slowly(s *Stack, token, target, body string, whole bool) (status int, err error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: opsplane\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		target, token, len(body))
	if _, err := io.WriteString(conn, head+body[:len(body)/2]); err != nil {
		return 0, err
	}
	time.Sleep(time.Second)
	if !whole {
		return 0, nil
	}
	if _, err := io.WriteString(conn, body[len(body)/2:]); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestBodyThatComesSlowlyIsServedAndHalfABodyIsNot(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c, in := s.Member(t)
	body := `{"data":"slow but whole"}`
	if status, err := slowly(s, c.Token(t), in.Path("key", "whole"), body, true); err != nil || status != 200 {
		t.Errorf("a slow body: got %d, %v, want 200", status, err)
	}
	if _, err := slowly(s, c.Token(t), in.Path("key", "half"), body, false); err != nil {
		t.Error(err)
	}
	c.Do(t, "GET", in.Path("key", "whole"), "").Want(t, 200)
	c.Do(t, "GET", in.Path("key", "half")+"?committed=false", "").Want(t, 404)
}
