package paging

import "net/http"

// Links are the links of a page. A response that gives its rows another JSON name
// embeds them.
type Links struct{ link string }

// SetHeaders sets the header Link on every page. The header is empty if there is no
// other page.
func (l Links) SetHeaders(h http.Header) { h.Set("Link", l.link) }

// Links returns the links of the page.
func (r Results[T]) Links() Links { return Links{r.link} }
