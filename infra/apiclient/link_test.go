package apiclient_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/apiclient"
)

func TestLinksAreFollowedInBothDirections(t *testing.T) {
	t.Parallel()
	s := serve(t)
	link := func(path, rel string) string { return "<" + s.URL + path + `>; rel="` + rel + `"` }
	s.script = []answer{
		says(200, "first", "Link", link("/l?page=n&page=a%2Cb&limit=1", "next")),
		says(200, "second", "Link", link("/l?page=n&page=c", "next")+", "+link("/l?page=p&page=b", "prev")),
		says(200, "third", "Link", ""),
		says(200, "first again"),
	}
	c, _ := s.client(t)
	var bodies []string
	var back string
	for page, err := range c.Pages(t.Context(), "", "/l?limit=1") {
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(page.Body))
		if links := page.Links(); links.Previous != "" {
			back = links.Previous
		}
	}
	if want := []string{"first", "second", "third"}; !slices.Equal(bodies, want) {
		t.Errorf("got pages %q, want %q", bodies, want)
	}
	if page, err := c.Follow(t.Context(), "", back); err != nil || string(page.Body) != "first again" {
		t.Errorf("got %v, %v, want the page before", page, err)
	}
	want := []string{exchange, "GET /l?limit=1 Bearer t1", "GET /l?page=n&page=a%2Cb&limit=1 Bearer t1", "GET /l?page=n&page=c Bearer t1", "GET /l?page=p&page=b Bearer t1"}
	if !slices.Equal(s.requests(), want) {
		t.Errorf("got requests %q, want %q", s.requests(), want)
	}
}

func TestLinkToAnotherServerIsNotFollowed(t *testing.T) {
	t.Parallel()
	s, other := serve(t), serve(t)
	c, _ := s.client(t)
	for _, link := range []string{
		other.URL + "/l", s.URL + "0/l", s.URL + "@example.com/l", strings.Replace(s.URL, "http:", "https:", 1) + "/l", "/l", "ftp://%",
	} {
		if page, err := c.Follow(t.Context(), "", link); err == nil {
			t.Errorf("%s: got %v, want an error", link, page)
		}
	}
	if got := append(other.requests(), s.requests()...); len(got) != 0 {
		t.Errorf("got requests %q, want none", got)
	}
}

func TestPagesEndWithAnErrorAtAPageThatFails(t *testing.T) {
	t.Parallel()
	s := serve(t, says(400, `{"id":"UNKNOWN_TAG","data":"colour"}`))
	c, _ := s.client(t)
	pages := 0
	for _, err := range c.Pages(t.Context(), "", "/l") {
		pages++
		var e *apiclient.Error
		if !errors.As(err, &e) || e.Status != http.StatusBadRequest || e.ID != "UNKNOWN_TAG" || e.Data != "colour" {
			t.Errorf("got %v, want the error with its id and data", err)
		}
	}
	if pages != 1 {
		t.Errorf("got %d pages, want one", pages)
	}
}
