package httpapi

import "strings"

// withoutBase removes from path what stands before the resource that the gateway
// matched: the base path of a custom domain's mapping, which the gateway leaves in
// the path (Amazon API Gateway Developer Guide, "API mappings"). If the path does
// not contain the resource, withoutBase returns it unchanged.
//
// It compares the whole resource, not only its first segments, because a base path
// may contain the same segments.
func withoutBase(path, resource string) string {
	if resource == "/" {
		return resource // everything before it is the base path
	}
	want := strings.Split(strings.Trim(resource, "/"), "/")
	if want[0] == "" || strings.Contains(want[0], "{") {
		return path // the resource is unknown, or it matches from any segment
	}
	for rest := path; strings.HasPrefix(rest, "/"); {
		if names(want, strings.Split(rest[1:], "/")) {
			return rest
		}
		next := strings.IndexByte(rest[1:], '/')
		if next < 0 {
			break
		}
		rest = rest[1+next:]
	}
	return path
}

// names reports whether segments match the segments of a resource. One empty
// segment more, from a slash at the end, is allowed, because the gateway ignores
// that slash.
func names(resource, segments []string) bool {
	for i, want := range resource {
		switch {
		case strings.HasSuffix(want, "+}"):
			return len(segments) > i
		case len(segments) == i:
			return false
		case want != segments[i] && !strings.HasPrefix(want, "{"):
			return false
		}
	}
	more := segments[len(resource):]
	return len(more) == 0 || len(more) == 1 && more[0] == ""
}
