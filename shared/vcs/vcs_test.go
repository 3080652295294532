package vcs_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/vcs"
)

func TestIDsAreNumbersOfAtMostNineteenDigits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1": true, "42": true, "9223372036854775807": true, "": false, "0": false, "01": false, "+1": false, "-1": false,
		"1 ": false, "a": false, "١": false, "1/2": false, "1\n": false, strings.Repeat("9", vcs.MaxID+1): false,
	} {
		id, err := vcs.ParseID(text)
		if (err == nil) != want || want && string(id) != text {
			t.Errorf("%q: got %q, %v", text, id, err)
		}
	}
}

func TestSortableIDsHaveTheOrderOfNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Min(1).Draw(t, "a"), rapid.Int64Min(1).Draw(t, "b")
		one, other := vcs.ID(strconv.FormatInt(a, 10)), vcs.ID(strconv.FormatInt(b, 10))
		if !one.Valid() || (one.Sortable() < other.Sortable()) != (a < b) || (one.Compare(other) < 0) != (a < b) {
			t.Fatalf("%s and %s are in another order than as numbers", one, other)
		}
	})
}

func TestTextOfAnInstallationIsReadBack(t *testing.T) {
	t.Parallel()
	for _, system := range vcs.All() {
		want := vcs.Installation{VCS: system, ID: "42"}
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got vcs.Installation
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	var i vcs.Installation
	if err := i.UnmarshalText([]byte("github")); err == nil {
		t.Errorf("a text without an id was taken for %v", i)
	}
}

func TestTextOfAnAccountIsReadBack(t *testing.T) {
	t.Parallel()
	for _, system := range vcs.All() {
		want := vcs.Account{VCS: system, ID: "1001"}
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got vcs.Account
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	var a vcs.Account
	if err := a.UnmarshalText([]byte("1001")); err == nil {
		t.Errorf("a text without a VCS was taken for %v", a)
	}
}

func TestVersionsAreOrderedByTimeThenRankThenArrival(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(1_750_000_000+seconds, 0) }
	inOrder := []vcs.Version{
		"",
		vcs.Moment{At: at(0)}.Version(at(9), "b"),
		vcs.Moment{At: at(1)}.Version(at(2), "b"),
		vcs.Moment{At: at(1)}.Version(at(3), "a"),
		vcs.Moment{At: at(1)}.Version(at(3), "b"),
		vcs.Moment{At: at(1), Rank: vcs.RankEnded}.Version(at(2), "a"),
		vcs.Moment{At: at(1), Rank: vcs.RankRemoved}.Version(at(2), "a"),
	}
	if !slices.IsSorted(inOrder) {
		t.Errorf("not in order: %q", inOrder)
	}
}

func TestSortableIDsHaveTwentyDigits(t *testing.T) {
	t.Parallel()
	if got, want := vcs.ID("42").Sortable(), "00000000000000000042"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDateInTheFutureHidesNothingForLong(t *testing.T) {
	t.Parallel()
	arrived := time.Unix(4_000_000_000, 0)
	forged := vcs.Moment{At: arrived.AddDate(50, 0, 0), Rank: vcs.RankGone}.Version(arrived, "forged")
	refresh := func(after time.Duration) vcs.Version {
		return vcs.Moment{At: arrived.Add(after)}.Version(arrived.Add(after), "refresh")
	}
	if forged < refresh(0) {
		t.Error("the date in the future counts as older than its arrival")
	}
	if forged > refresh(vcs.MaxAhead+time.Second) {
		t.Error("a refresh does not repair what has a date in the future")
	}
	if ahead := (vcs.Moment{At: arrived.Add(vcs.MaxAhead)}).Version(arrived, "ahead"); ahead <= refresh(vcs.MaxAhead-time.Second) {
		t.Error("the clock of a host that is a little ahead is not used")
	}
}
