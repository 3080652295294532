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

// ErrCursor says that a host names the next part of a list by a cursor and not by
// the number of a page.
var ErrCursor = errors.New("the host's list goes on with a cursor, which this server does not follow")

// MaxPages is the maximum number of pages of a list that are read.
const MaxPages = 10_000

// NextPage returns the number of the page after the present one, or 0 after the
// last one. header is the header of the present page's response. The number must be
// larger than the present one, so that no list is read in a circle. Of a link, only
// the number is used: the next page is read at the address of the first one, not at
// the address of the link. It returns ErrEndless or ErrCursor, wrapped.
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

// named returns the page that a header names, in GitLab's own header or in a link.
// It returns 0 if the header names none.
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

// links finds the links of a header. relation finds the relation of one link ("Web
// Linking", RFC 8288, section 3).
var (
	links    = regexp.MustCompile(`<([^>]*)>([^<]*)`)
	relation = regexp.MustCompile(`(?i);\s*rel\s*=\s*"?([^",;]*)`)
)
