package httpapi

import "strings"

// withoutBase cuts off path what stands before the resource that the gateway
// found for it: the base path of a custom domain's mapping, which the gateway
// leaves in the path (Amazon API Gateway Developer Guide, "API mappings"). A
// path in which the resource is not found is left as it is.
//
// The whole resource is compared, not its first segments: a base path may have
// the same ones.
func withoutBase(path, resource string) string {
	if resource == "/" {
		return resource // all that stands before it is the base path
	}
	want := strings.Split(strings.Trim(resource, "/"), "/")
	if want[0] == "" || strings.Contains(want[0], "{") {
		return path // no resource is named, or it begins anywhere
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

// names reports whether segments are those of a resource, or those and a slash
// behind them, which the gateway passes over.
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
