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

// ErrEndless says that a host's list has no end: it leads back to where it was
// read, or on for longer than any list of its kind.
var ErrEndless = errors.New("the host's list does not end")

// ErrCursor says that a host's list goes on by a cursor, though it was asked for
// by pages.
var ErrCursor = errors.New("the host's list goes on by a cursor, which this server does not follow")

// MaxPages bounds how many pages of a list are read.
const MaxPages = 10_000

// NextPage answers the number of the page behind the present one, from 1 on, by
// the header of its answer; 0 after the last. Pages go up by number, so that no
// list is read in a circle. Of a link the number alone is used: whatever address
// it has, the next page is asked for where the first one was.
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

// named is the page that a header names: by GitLab's own, or by a link.
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

// Links of a header ("Web Linking", RFC 8288, section 3), and what relation one has.
var (
	links    = regexp.MustCompile(`<([^>]*)>([^<]*)`)
	relation = regexp.MustCompile(`(?i);\s*rel\s*=\s*"?([^",;]*)`)
)
