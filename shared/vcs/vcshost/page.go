package vcshost

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrEndless says that a host's list has no end: a page names an earlier page as
// the next one, or there are more pages than any list of its kind has.
var ErrEndless = errors.New("the host's list does not end")

// ErrCursor says that the next part of a host's list has a cursor in place of the
// number of a page.
var ErrCursor = errors.New("the host's list goes on with a cursor, which this server does not follow")

// MaxPages bounds how many pages of a list are read.
const MaxPages = 10_000

// NextPage returns the number of the page after the present one, from the header
// of the present one's answer; 0 after the last. The number must be larger than
// the present one, so that no list is read in a circle. Only the number of a link
// is used: the next page is read at the address of the first one, whatever
// address the link has. It returns ErrEndless or ErrCursor, wrapped.
func NextPage(present int, header http.Header) (int, error) {
	next, err := named(header)
	switch {
	case err != nil || next == 0:
		return 0, err
	case next <= present:
		return 0, fmt.Errorf("%w: page %d names page %d as the next", ErrEndless, present, next)
	case next > MaxPages:
		return 0, fmt.Errorf("%w: it has more than %d pages", ErrEndless, MaxPages)
	}
	return next, nil
}

// named returns the page that a header names: GitLab's own header, or a link; 0 if
// it names none.
func named(header http.Header) (int, error) {
	if text := header.Get("X-Next-Page"); text != "" {
		return number(text)
	}
	for _, link := range links.FindAllStringSubmatch(strings.Join(header.Values("Link"), ","), -1) {
		rel := relation.FindStringSubmatch(link[2])
		if rel == nil || !slices.Contains(strings.Fields(strings.ToLower(rel[1])), "next") {
			continue
		}
		u, err := url.Parse(link[1])
		if err != nil || u.Query().Get("page") == "" {
			return 0, ErrCursor
		}
		return number(u.Query().Get("page"))
	}
	return 0, nil
}

func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, ErrCursor
	}
	return int(n), nil
}

// The links of a header, and the relation of one ("Web Linking", RFC 8288, section 3).
var (
	links    = regexp.MustCompile(`<([^>]*)>([^<]*)`)
	relation = regexp.MustCompile(`(?i);\s*rel\s*=\s*"?([^",;]*)`)
)
