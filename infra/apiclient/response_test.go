package apiclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/apiclient"
)

func TestFilesAreSentAndFetchedWithoutAToken(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"a file", ""} {
		bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Header.Get("Authorization") != "" || r.ContentLength != int64(len(body)) {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("x-amz-checksum")+" "+string(body))
		}))
		defer bucket.Close()
		via := apiclient.NewHTTPClient(1)
		to := apiclient.Upload{URL: bucket.URL + "/f?signature=s", Headers: map[string]string{"x-amz-checksum": "c"}}
		resp, err := apiclient.PutFile(t.Context(), via, to, strings.NewReader(content), int64(len(content)))
		if want := "PUT /f?signature=s c " + content; err != nil || resp.Status != 200 || string(resp.Body) != want {
			t.Errorf("got %v, %v, want %s", resp, err, want)
		}
		resp, err = apiclient.GetFile(t.Context(), via, bucket.URL+"/f?signature=s")
		if want := "GET /f?signature=s  "; err != nil || resp.Status != 200 || string(resp.Body) != want {
			t.Errorf("got %v, %v, want %s", resp, err, want)
		}
	}
}

func TestErrorsOfFilesDoNotShowTheSignature(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.Close()
	for _, address := range []string{s.URL + "/f?signature=s3cret", "http://%/f?signature=s3cret"} {
		_, put := apiclient.PutFile(t.Context(), http.DefaultClient, apiclient.Upload{URL: address}, strings.NewReader("x"), 1)
		_, get := apiclient.GetFile(t.Context(), http.DefaultClient, address)
		for _, err := range []error{put, get} {
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want an error without the signature", err)
			}
		}
	}
}

func TestRedirectIsAnAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, says(302, "", "Location", "http://127.0.0.1:1/elsewhere"))
	c, _ := s.client(t)
	resp, err := c.Do(t.Context(), get("/file"))
	if err != nil || resp.Status != 302 || resp.Header.Get("Location") != "http://127.0.0.1:1/elsewhere" {
		t.Errorf("got %v, %v, want the redirect", resp, err)
	}
}

func TestAnswerThatIsNotWholeIsAnError(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answer{
		"cut short": says(200, "short", "Content-Length", "10"),
		"too large": says(200, strings.Repeat("x", 10<<20+1)),
	} {
		s := serve(t, a)
		c, _ := s.client(t)
		if resp, err := c.Do(t.Context(), get("/x")); err == nil || resp.Status != 0 {
			t.Errorf("%s: got status %d and %v, want an error", name, resp.Status, err)
		}
		if got := len(s.requests()); got != 2 {
			t.Errorf("%s: got %d requests, want the exchange and one more", name, got)
		}
	}
}

func TestErrorTellsStatusIDDataAndRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, says(400, `{"id":"BAD","data":"too long"}`, "x-amzn-requestid", "r-9"), says(404, "<html>"))
	c, _ := s.client(t)
	for _, want := range []string{"got status 400 BAD (too long), want [200 201], request r-9", "got status 404, want [200 201]"} {
		resp, err := c.Do(t.Context(), get("/x"))
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Want(200, 201); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := resp.Decode(&struct{ Number int }{}); resp.Status == 404 && err == nil {
			t.Error("got no error for a body that is not JSON")
		}
	}
}
