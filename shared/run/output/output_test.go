package output_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// naive are queries, each with a filter over all steps that says the same.
var naive = map[string]func(idx int, s result.Step) bool{
	"":                            func(int, result.Step) bool { return true },
	"not step:tf/cost-estimation": func(int, result.Step) bool { return true },
	"step:tf/plan":                func(_ int, s result.Step) bool { return s.Name == "tf/plan" },
	"state:failure":               func(_ int, s result.Step) bool { return !s.Success },
	"dir:prod/d3 workspace:w1":    func(_ int, s result.Step) bool { return s.Scope.Dir == "prod/d3" && s.Scope.Workspace == "w1" },
	"dir:prod/d39*":               func(_ int, s result.Step) bool { return s.Scope.Dir == "prod/d39" },
	"scope:run or idx:300":        func(idx int, s result.Step) bool { return s.Scope.Type == "run" || idx == 300 },
	"subflow:pre":                 func(_ int, s result.Step) bool { return s.Scope.Subflow == "pre" },
	"not flow:hooks":              func(_ int, s result.Step) bool { return s.Scope.Flow != "hooks" },
	"ignore_errors":               func(_ int, s result.Step) bool { return s.IgnoreErrors },
	"not ignore_errors step:env":  func(_ int, s result.Step) bool { return !s.IgnoreErrors && s.Name == "env" },
	"idx:257":                     func(idx int, _ result.Step) bool { return idx == 257 },
	"idx:100000":                  func(int, result.Step) bool { return false },
	"idx:-1":                      func(int, result.Step) bool { return false },
	"idx:5 state:failure":         func(idx int, s result.Step) bool { return idx == 5 && !s.Success },
	"idx:5 idx:6":                 func(int, result.Step) bool { return false },
	"step:none":                   func(int, result.Step) bool { return false },
}

func TestPagesAreThoseOfANaiveFilter(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	r := results(t, 700, 40)
	of := h.put(t, r)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom(slices.Sorted(maps.Keys(naive))).Draw(rt, "q")
		q := output.Request{
			Query: compile(t, text), Limit: rapid.IntRange(1, 120).Draw(rt, "limit"), Descending: rapid.Bool().Draw(rt, "descending"),
			Backward: rapid.Bool().Draw(rt, "backward"), Lite: rapid.Bool().Draw(rt, "lite"),
		}
		if rapid.Bool().Draw(rt, "cursor") {
			from := rapid.IntRange(-2, len(r.Steps)+2).Draw(rt, "from")
			q.From = &from
		}
		var want []int
		for idx, s := range r.Steps {
			if beyond := q.From == nil || (idx > *q.From) == (q.Descending == q.Backward) && idx != *q.From; beyond && naive[text](idx, s) {
				want = append(want, idx)
			}
		}
		if q.Descending != q.Backward {
			slices.Reverse(want)
		}
		more := len(want) > q.Limit
		want = want[:min(len(want), q.Limit)]
		page, err := h.Page(t.Context(), h.id, of, q)
		if err != nil {
			rt.Fatal(err)
		}
		if len(page.Steps) != len(want) || page.More != more {
			rt.Fatalf("%q: %d steps, more %t; want %d, more %t", text, len(page.Steps), page.More, len(want), more)
		}
		for n, s := range page.Steps {
			from := r.Steps[want[n]]
			expected := output.Step{
				Idx: want[n], Name: from.Name, Type: from.Scope.Type, Dir: from.Scope.Dir, Workspace: from.Scope.Workspace,
				Flow: from.Scope.Flow, Subflow: from.Scope.Subflow, Success: from.Success, IgnoreErrors: from.IgnoreErrors,
			}
			if !q.Lite {
				expected.Payload = r.Payload(from)
			}
			if !reflect.DeepEqual(s, expected) {
				rt.Fatalf("%q: step %d is %+v, want %+v", text, n, s, expected)
			}
		}
	})
}

// TestFifteenThousandStepsAreReadPageByPage walks a large result in both
// directions, and counts the requests.
func TestFifteenThousandStepsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	var faults storagetest.Faults
	h := newRig(t).failing(&faults)
	r := results(t, 14_999, 400)
	if len(r.Payloads) < 5<<20 || len(r.Steps) != 15_000 {
		t.Fatalf("%d steps of %d bytes", len(r.Steps), len(r.Payloads))
	}
	of := h.put(t, r)
	if puts, objects := faults.Calls("PutItem"), faults.Calls("s3:PUT"); puts != 59 || objects != 1 {
		t.Errorf("the result took %d items and %d objects", puts, objects)
	}
	for _, backward := range []bool{false, true} {
		faults.Clear()
		pages, next := 0, -1
		if backward {
			next = len(r.Steps)
		}
		q := output.Request{Limit: 100, Backward: backward}
		for more := true; more; pages++ {
			page := h.page(t, of, q)
			for _, s := range page.Steps {
				if next++; backward {
					next -= 2
				}
				if s.Idx != next || string(s.Payload) != string(r.Payload(r.Steps[next])) {
					t.Fatalf("step %d with %.80s, want %d with %.80s", s.Idx, s.Payload, next, r.Payload(r.Steps[next]))
				}
			}
			from := next
			q.From, more = &from, page.More
		}
		if pages != 150 || faults.Calls("Query") != pages || faults.Calls("s3:GET") != pages {
			t.Errorf("%d pages took %d queries and %d reads of the bucket", pages, faults.Calls("Query"), faults.Calls("s3:GET"))
		}
	}
	faults.Clear()
	page := h.page(t, of, output.Request{Query: compile(t, "state:failure step:tf/plan dir:prod/d1"), Limit: 100, Lite: true})
	if len(page.Steps) != 27 || page.More || faults.Calls("") != faults.Calls("Query") || faults.Calls("") > 4 {
		t.Errorf("%d steps in %d requests", len(page.Steps), faults.Calls(""))
	}
}

func TestLiteMakesNoRequestToTheBucket(t *testing.T) {
	t.Parallel()
	plain := newRig(t)
	of := plain.put(t, results(t, 600, 40))
	var faults storagetest.Faults
	for _, operation := range []string{"s3:GET", "s3:HEAD", "s3:PUT"} {
		faults.Add(storagetest.Fault{Operation: operation, Kind: storagetest.ServerError})
	}
	h := plain.failing(&faults)
	for _, q := range []output.Request{{Limit: 20}, {Limit: 100, Descending: true}, {Limit: 20, Query: compile(t, "state:failure")}} {
		q.Lite = true
		if page := h.page(t, of, q); len(page.Steps) != q.Limit || page.Steps[0].Payload != nil || page.Steps[0].Withheld != 0 {
			t.Errorf("got %+v", page)
		}
	}
	if faults.Calls("") != faults.Calls("Query") {
		t.Errorf("%d requests, %d of them queries", faults.Calls(""), faults.Calls("Query"))
	}
	if _, err := h.Page(t.Context(), h.id, of, output.Request{Limit: 20}); err == nil {
		t.Error("a page with payloads needs the bucket, but none was asked")
	}
}

func TestPayloadsThatLieTogetherAreReadAtOnce(t *testing.T) {
	t.Parallel()
	var faults storagetest.Faults
	h := newRig(t).failing(&faults)
	r := results(t, 8, 900<<10) // four plans of about 1 MB
	of := h.put(t, r)
	for text, reads := range map[string]int{
		"":                        1,
		"idx:3 or idx:4":          1,
		"idx:0 or idx:3":          2, // a plan lies between them
		"idx:0 or idx:8":          2,
		"idx:0 or idx:3 or idx:6": 3,
		"step:tf/plan":            1,
		"step:none":               0,
	} {
		faults.Clear()
		page := h.page(t, of, output.Request{Query: compile(t, text), Limit: 100})
		for _, s := range page.Steps {
			if string(s.Payload) != string(r.Payload(r.Steps[s.Idx])) {
				t.Errorf("%q: step %d has another payload", text, s.Idx)
			}
		}
		if got := faults.Calls("s3:GET"); got != reads {
			t.Errorf("%q: %d reads, want %d", text, got, reads)
		}
	}
}

func TestPageEndsBeforeAResponseIsTooLarge(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	// Quotes and backslashes double inside the response of a function.
	payload := fmt.Sprintf(`{"text":"%s"}`, strings.Repeat(`\"`, 600<<10)) // 1.2 MB, 2.4 MB in a response
	step := fmt.Sprintf(`{"step":"run","success":true,"scope":{"type":"run","flow":"hooks","subflow":"pre"},"payload":%s}`, payload)
	of := h.put(t, decode(t, `{"steps":[`+step+`,`+step+`,`+step+`]}`))
	for _, descending := range []bool{false, true} {
		page := h.page(t, of, output.Request{Limit: 20, Descending: descending})
		if len(page.Steps) != 2 || !page.More || string(page.Steps[1].Payload) != payload {
			t.Fatalf("got %d steps, more %t", len(page.Steps), page.More)
		}
		from := page.Steps[1].Idx
		page = h.page(t, of, output.Request{Limit: 20, Descending: descending, From: &from})
		if len(page.Steps) != 1 || page.More || string(page.Steps[0].Payload) != payload {
			t.Fatalf("got %d steps, more %t", len(page.Steps), page.More)
		}
	}
	if page := h.page(t, of, output.Request{Limit: 20, Lite: true}); len(page.Steps) != 3 || page.More {
		t.Errorf("without payloads: got %d steps, more %t", len(page.Steps), page.More)
	}
}

func TestPayloadThatNoResponseCanCarryIsWithheld(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	r := results(t, 4, 3<<20) // two plans of about 5 MB
	of := h.put(t, r)
	page := h.page(t, of, output.Request{Limit: 20})
	var got []string
	for _, s := range page.Steps {
		got = append(got, fmt.Sprint(s.Withheld, s.Payload != nil))
	}
	if want := []string{"0 true", "0 true", "1 false", "0 true", "1 false"}; !slices.Equal(got, want) || page.More {
		t.Errorf("got %q, more %t", got, page.More)
	}
}

func TestSameResultIsStoredOnceAndAnotherBesideIt(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	first, second := results(t, 300, 40), results(t, 302, 40)
	of := h.put(t, first)
	items, objects := h.env.Dump("RunsTable"), h.objects(t)
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			stored, err := h.Put(t.Context(), h.id, results(t, 300, 40), expires)
			if err == nil && (stored.Payload != of.Payload || stored.Steps != of.Steps) {
				err = fmt.Errorf("stored %+v, then %+v", of, stored)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if h.env.Dump("RunsTable") != items || !maps.Equal(h.objects(t), objects) {
		t.Error("the same result changed what was stored")
	}
	other := h.put(t, second)
	if other.Payload == of.Payload {
		t.Fatal("two results have one name")
	}
	for _, c := range []struct {
		of run.Result
		r  *result.Result
	}{{of, first}, {other, second}} {
		page := h.page(t, c.of, output.Request{Limit: 1, Descending: true})
		if last := len(c.r.Steps) - 1; page.Steps[0].Idx != last || string(page.Steps[0].Payload) != string(c.r.Payload(c.r.Steps[last])) {
			t.Errorf("got %+v", page)
		}
	}
}

// TestPutSucceedsWhenItIsRepeatedAfterAnyFault makes each request of a Put fail in
// each way, and repeats the Put.
func TestPutSucceedsWhenItIsRepeatedAfterAnyFault(t *testing.T) {
	t.Parallel()
	plain := newRig(t)
	r := decode(t, `{"steps":[{"step":"a","success":true,"scope":{"type":"x"},"payload":{"text":"y"}}],"gates":[{"token":"t"}]}`)
	for _, kind := range []storagetest.Kind{storagetest.ServerError, storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Throttle, storagetest.Duplicate} {
		for _, operation := range []string{"PutItem", "s3:PUT"} {
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: operation, Kind: kind})
			h := rigOn(plain.env.WithFaults(&faults), run.NewID())
			_, err := h.Put(t.Context(), h.id, r, expires)
			if (err == nil) != (kind == storagetest.Duplicate) {
				t.Errorf("%s, %d: %v", operation, kind, err)
			}
			faults.Clear()
			of := h.put(t, r)
			page := h.page(t, of, output.Request{Limit: 5})
			gates, err := h.Gates(t.Context(), of)
			if len(page.Steps) != 1 || string(page.Steps[0].Payload) != `{"text":"y"}` || err != nil || !reflect.DeepEqual(gates, r.Gates) {
				t.Errorf("%s, %d: got %+v, %+v, %v", operation, kind, page, gates, err)
			}
		}
	}
}

func TestReadsFailWhenStorageFails(t *testing.T) {
	t.Parallel()
	plain := newRig(t)
	of := plain.put(t, results(t, 4, 40))
	for _, operation := range []string{"Query", "s3:GET"} {
		var faults storagetest.Faults
		faults.Add(storagetest.Fault{Operation: operation, Kind: storagetest.ServerError})
		h := plain.failing(&faults)
		_, page := h.Page(t.Context(), h.id, of, output.Request{Limit: 5})
		_, step := h.StepText(t.Context(), h.id, of, 1)
		_, all := h.RunText(t.Context(), h.id, of)
		for _, err := range []error{page, step, all} {
			if err == nil || errors.Is(err, output.ErrExpired) {
				t.Errorf("%s: got %v", operation, err)
			}
		}
	}
}

func TestResultWithoutStepsNeedsNothing(t *testing.T) {
	t.Parallel()
	var faults storagetest.Faults
	h := newRig(t).failing(&faults)
	of := h.put(t, decode(t, `{"steps":[]}`))
	page := h.page(t, of, output.Request{Limit: 5})
	text, err := h.RunText(t.Context(), h.id, of)
	gates, err2 := h.Gates(t.Context(), of)
	if of.Payload+of.Gates != "" || of.Steps != 0 || len(page.Steps) != 0 || page.More || err != nil || text.Body == nil || len(text.Body) != 0 || gates != nil || err2 != nil {
		t.Errorf("got %+v, %+v, %+v, %v", of, page, text, err)
	}
	if faults.Calls("") != 0 {
		t.Errorf("%d requests", faults.Calls(""))
	}
}

func TestOutputsThatAreGoneAreReported(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	of := h.put(t, results(t, 600, 40))
	h.drop(t, of.Payload)
	page := h.page(t, of, output.Request{Limit: 2})
	if len(page.Steps) != 2 || page.Steps[0].Withheld != output.Expired || page.Steps[0].Payload != nil {
		t.Errorf("got %+v", page)
	}
	if _, err := h.RunText(t.Context(), h.id, of); !errors.Is(err, output.ErrExpired) {
		t.Errorf("got %v", err)
	}
	// One item of the index goes before the others.
	items := table.Table{DB: h.env.DynamoDB, Name: h.env.Table("RunsTable")}
	key := table.Item{"pk": attr.String("RUN#" + string(h.id)), "sk": attr.String("STEPS#" + of.Payload[strings.LastIndex(of.Payload, "/")+1:] + "#00000256")}
	if err := items.Delete(t.Context(), key, table.Exists("pk")); err != nil {
		t.Fatal(err)
	}
	for _, q := range []output.Request{{Limit: 600, Lite: true}, {Limit: 600, Lite: true, Descending: true}, {Limit: 5, Lite: true, Query: compile(t, "idx:300")}} {
		if page, err := h.Page(t.Context(), h.id, of, q); !errors.Is(err, output.ErrExpired) {
			t.Errorf("got %d steps, %v", len(page.Steps), err)
		}
	}
	of.Payload = "plans/x"
	if _, err := h.Page(t.Context(), h.id, of, output.Request{Limit: 5}); err == nil {
		t.Error("another object was taken for payloads")
	}
}

func TestIndexExpiresWithTheRun(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.put(t, results(t, 2, 40))
	if want := fmt.Sprintf("ttl=%d ", expires.Unix()); !strings.Contains(h.env.Dump("RunsTable"), want) {
		t.Errorf("no item has %s", want)
	}
}

// TestNoSecretIsStored plants secrets where a runner may send them.
func TestNoSecretIsStored(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	of := h.put(t, decode(t, `{"steps":[{"step":"tf/apply","success":true,"scope":{"dir":"net","workspace":"default"},"payload":{"text":"s = <sensitive>",
		"outputs":{"s":{"sensitive":true,"type":"string","value":"SECRET"},"t":{"value":"SECRET"},"u":"SECRET","v":{"sensitive":false,"value":"shown"}}}}]}`))
	if h.page(t, of, output.Request{Limit: 5}).Steps[0].Payload == nil {
		t.Error("no payload")
	}
	text, err := h.StepText(t.Context(), h.id, of, 0)
	if err != nil || string(text.Body) != "s = <sensitive>" {
		t.Errorf("got %q, %v", text.Body, err)
	}
	stored := h.env.Dump("RunsTable") + fmt.Sprint(h.objects(t))
	if strings.Contains(stored, "SECRET") || !strings.Contains(stored, "shown") {
		t.Errorf("stored %s", stored)
	}
}

func TestRemovedRunHasNoObjects(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	other := rigOn(h.env, run.NewID())
	h.put(t, results(t, 2, 40))
	kept := other.put(t, results(t, 4, 40))
	for range 2 {
		if err := h.Remove(t.Context(), h.id); err != nil {
			t.Fatal(err)
		}
	}
	if left := slices.Collect(maps.Keys(h.objects(t))); !slices.Equal(left, []string{kept.Payload}) {
		t.Errorf("left are %q, want only %q", left, kept.Payload)
	}
}

// TestLongestNamesFitIntoTheIndex has names that do not compress.
func TestLongestNamesFitIntoTheIndex(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	random := rand.New(rand.NewPCG(1, 2))
	name := func(bytes int) string {
		var b strings.Builder
		for range bytes / 2 {
			b.WriteRune(rune(0x80 + random.IntN(0x700))) // two bytes each
		}
		return b.String()
	}
	var steps []string
	for range 256 {
		steps = append(steps, fmt.Sprintf(`{"step":"%s","success":true,"scope":{"type":"dirspace","dir":"%s","workspace":"%s","flow":"%s","subflow":"%s"}}`,
			name(result.MaxName), name(run.MaxDir), name(run.MaxWorkspace), name(result.MaxName), name(result.MaxName)))
	}
	r := decode(t, `{"steps":[`+strings.Join(steps, ",")+`]}`)
	page := h.page(t, h.put(t, r), output.Request{Limit: 1, Descending: true, Lite: true})
	if last := page.Steps[0]; last.Dir != r.Steps[255].Scope.Dir || last.Subflow != r.Steps[255].Scope.Subflow {
		t.Errorf("got %+v", last)
	}
}
