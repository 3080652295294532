package timestamp

import (
	"testing"
	"time"
)

func TestTimeIsWrittenInUTCToTheSecond(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 2*60*60)
	for want, at := range map[string]time.Time{
		"2030-01-31T00:00:00Z": time.Date(2030, 1, 31, 2, 0, 0, 999, east),
		"":                     {},
	} {
		if got := Format(at); got != want {
			t.Errorf("%v: got %q, want %q", at, got, want)
		}
	}
}

func TestTimeIsReadWithAnyOffset(t *testing.T) {
	t.Parallel()
	want := time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{Example, "2030-01-31T02:00:00+02:00", "2030-01-31T00:00:00.000Z"} {
		if got, err := Parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2030-01-31", "2030-01-31T00:00:00", "1893456000", "2030-02-31T00:00:00Z"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
