package attr_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

func TestSortableTimesSortAsTimesDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const last = 9_999_999_999_999 // milliseconds
		a := time.UnixMilli(rapid.Int64Range(0, last).Draw(t, "a"))
		b := time.UnixMilli(rapid.Int64Range(0, last).Draw(t, "b"))
		if (attr.SortMillis(a) < attr.SortMillis(b)) != a.Before(b) {
			t.Errorf("%s and %s sort otherwise", attr.SortMillis(a), attr.SortMillis(b))
		}
		if (attr.SortSeconds(a) < attr.SortSeconds(b)) != (a.Unix() < b.Unix()) {
			t.Errorf("%s and %s sort otherwise", attr.SortSeconds(a), attr.SortSeconds(b))
		}
		if got, err := attr.ParseSortMillis(attr.SortMillis(a)); err != nil || !got.Equal(a) {
			t.Errorf("%s is read as %s, %v", a, got, err)
		}
	})
}

func TestTextThatIsNoSortableTimeIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "00000000000001", "-000000000001", "abcdefghijklm"} {
		if got, err := attr.ParseSortMillis(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
