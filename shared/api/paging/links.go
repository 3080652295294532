package paging

import "net/http"

// Links are a page's links, for an answer that gives its rows a name of its
// own: it embeds them.
type Links struct{ link string }

// SetHeaders sets Link. It is there on every page, empty where there is nothing
// to link to.
func (l Links) SetHeaders(h http.Header) { h.Set("Link", l.link) }

// Links answers the links of the page.
func (r Results[T]) Links() Links { return Links{r.link} }
