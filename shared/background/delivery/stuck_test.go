package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// of returns a delivery of an installation that arrived n seconds after the test
// began.
func of(installation string, n int) delivery.Delivery {
	d := arrived(delivery.ID(vcs.ID(installation), fmt.Sprintf("%03d", n)), time.Duration(n)*time.Second)
	d.Installation.ID = vcs.ID(installation)
	return d
}

// giveUp makes deliveries stuck, each in the second in which it arrived.
func giveUp(t *testing.T, s delivery.Store, list ...delivery.Delivery) {
	t.Helper()
	for _, d := range list {
		accept(t, s, d, "{}")
		if _, err := s.GiveUp(t.Context(), begin(t, s, d), "cannot be read", d.ReceivedAt); err != nil {
			t.Fatal(err)
		}
	}
}

// ids returns the ids of deliveries, separated by spaces.
func ids(list []delivery.Delivery) string {
	var all []string
	for _, d := range list {
		all = append(all, d.ID)
	}
	return strings.Join(all, " ")
}

func TestInstallationsTakeTurnsInTheListOfWhatIsParked(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	giveUp(t, s, of("77", 1), of("77", 2), of("77", 3), of("77", 4), of("42", 5), of("", 6), of("43", 7), of("42", 8))
	for i, installation := range []string{"90", "90", "91"} { // tried again
		d := of(installation, 20+i)
		accept(t, s, d, "{}")
		if _, err := s.Park(t.Context(), begin(t, s, d), "x", d.ReceivedAt.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	all := "77.001 42.005 none.006 43.007 77.002 42.008 77.003 77.004 90.020 91.022 90.021"
	for _, limit := range []int{1, 2, 4, 5, 8, 10, 100} {
		list, err := s.Parked(t.Context(), limit)
		want := strings.Join(strings.Fields(all)[:min(limit, 11)], " ")
		if got := ids(list); err != nil || got != want {
			t.Errorf("at most %d: %q, %v, want %q", limit, got, err, want)
		}
	}
	stuck, err := s.Stuck(t.Context())
	if err != nil || fmt.Sprint(stuck) != "[github 77: 4 github 42: 2 github none: 1 github 43: 1]" || !stuck[0].Since.Equal(born.Add(time.Second)) {
		t.Errorf("stuck: %v, %v", stuck, err)
	}
	if waiting, err := s.Waiting(t.Context()); err != nil || fmt.Sprint(waiting) != "[github 90: 2 github 91: 1]" {
		t.Errorf("waiting: %v, %v", waiting, err)
	}
}

func TestInstallationKeepsABoundedNumberOfStuckDeliveriesAndHidesNoOther(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for n := range delivery.MaxStuck + 3 {
		giveUp(t, s, of("77", n))
	}
	giveUp(t, s, of("42", 500), of("43", 501))
	stuck, err := s.Stuck(t.Context())
	if err != nil || fmt.Sprint(stuck) != fmt.Sprintf("[github 77: %d github 42: 1 github 43: 1]", delivery.MaxStuck) {
		t.Errorf("stuck: %v, %v", stuck, err)
	}
	if list, err := s.Parked(t.Context(), 3); err != nil || ids(list) != "77.000 42.500 43.501" {
		t.Errorf("the first three: %q, %v", ids(list), err)
	}
	beyond := get(t, s, of("77", delivery.MaxStuck).ID)
	if beyond.State != delivery.Dismissed || !strings.Contains(beyond.Problem, "cannot be read; dismissed, as 100 others of its installation are stuck") {
		t.Errorf("beyond the bound: %s, %s", beyond.State, beyond.Problem)
	}
	if n := due(t, s, born.Add(never)); n != 0 {
		t.Errorf("%d are due", n)
	}
}

func TestDueDeliveriesOfAnInstallationWaitForNoOther(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for n := range 30 {
		accept(t, s, of("77", n), "{}")
	}
	accept(t, s, of("42", 40), "{}")
	accept(t, s, of("42", 41), "{}")
	keys, err := s.Due(t.Context(), born.Add(time.Hour), 4)
	want := []delivery.Key{of("77", 0).Key(), of("42", 40).Key(), of("77", 1).Key(), of("42", 41).Key()}
	if err != nil || !slices.Equal(keys, want) {
		t.Errorf("got %v, %v, want %v", keys, err, want)
	}
}

// TestManyDeliveriesOfAnInstallationHideNoOther has more stuck deliveries of one
// installation than a page of the index holds. All of them come before that of
// another installation.
func TestManyDeliveriesOfAnInstallationHideNoOther(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	const many = 1050
	for partition, state := range map[string]delivery.State{"parked": delivery.Parked, "received-0": delivery.Received} {
		var puts []types.WriteRequest
		for n := range many {
			d := of("77", n)
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: attr.Item{
				"pk": attr.String(d.Key().Lane), "sk": attr.String(d.Key().Place + "-" + partition), "id": attr.String(d.ID), "state": attr.String(string(state)),
				"due_in": attr.String(partition), "due": attr.Int(born.UnixMilli() + int64(n)),
			}}})
		}
		for some := range slices.Chunk(puts, 25) {
			if _, err := s.DB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.Table: some}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	waits := of("42", 2000)
	accept(t, s, waits, "{}")
	if _, err := s.Park(t.Context(), begin(t, s, waits), "x", waits.ReceivedAt); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Due(t.Context(), born.Add(24*time.Hour), 2)
	if err != nil || len(keys) != 2 || keys[1] != waits.Key() {
		t.Errorf("due: %v, %v; want one of each installation", keys, err)
	}
	if list, err := s.Parked(t.Context(), 2); err != nil || len(list) != 2 || list[1].ID != waits.ID {
		t.Errorf("listed: %q, %v; want one of each installation", ids(list), err)
	}
	if waiting, err := s.Waiting(t.Context()); err != nil || fmt.Sprint(waiting) != fmt.Sprintf("[github 77: %d github 42: 1]", many) {
		t.Errorf("waiting: %v, %v", waiting, err)
	}
}

func TestHostsRedeliveriesAreBounded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(delivery.Store, delivery.Delivery) error{
		"stuck": func(s delivery.Store, d delivery.Delivery) error {
			_, err := s.GiveUp(t.Context(), d, "x", d.ReceivedAt)
			return err
		},
		"dismissed": func(s delivery.Store, d delivery.Delivery) error {
			stuck, err := s.GiveUp(t.Context(), d, "x", d.ReceivedAt)
			return errors.Join(err, s.Dismiss(t.Context(), stuck, "operator:ann"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := store(t)
			d := of("42", 1)
			accept(t, s, d, "{}")
			tried := 0
			for range 2 * delivery.MaxRedelivered {
				if get(t, s, d.ID).State == delivery.Received {
					tried++
					if err := end(s, begin(t, s, d)); err != nil {
						t.Fatal(err)
					}
				}
				if fresh, err := s.Accept(t.Context(), d, []byte("{}")); err != nil || fresh {
					t.Fatalf("new %t, %v", fresh, err)
				}
			}
			if tried != 1+delivery.MaxRedelivered {
				t.Errorf("tried %d times, want %d", tried, 1+delivery.MaxRedelivered)
			}
			if got, err := s.Redeliver(t.Context(), "github", d.ID, born); err != nil || got.State != delivery.Received {
				t.Errorf("an operator's redelivery: %+v, %v", got, err)
			}
		})
	}
}

func TestDismissedDeliveryIsToldOfNoMoreAndCanBeRedelivered(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx := context.Background()
	giveUp(t, s, of("42", 1), of("42", 2))
	waits := of("42", 3)
	accept(t, s, waits, "{}")
	if err := s.Dismiss(ctx, get(t, s, waits.ID), "operator:ann"); !errors.Is(err, delivery.ErrNotParked) {
		t.Errorf("one that is being processed: %v", err)
	}
	if _, err := s.Park(ctx, begin(t, s, waits), "x", born); err != nil {
		t.Fatal(err)
	}
	for _, d := range []delivery.Delivery{of("42", 1), waits} {
		if err := s.Dismiss(ctx, get(t, s, d.ID), "operator:ann"); err != nil {
			t.Fatal(err)
		}
		got := get(t, s, d.ID)
		if got.State != delivery.Dismissed || !strings.HasSuffix(got.Problem, "; dismissed by operator:ann") || !got.NextTry.IsZero() {
			t.Errorf("dismissed: %+v", got)
		}
		if err := s.Dismiss(ctx, got, "operator:ann"); !errors.Is(err, delivery.ErrNotParked) {
			t.Errorf("twice: %v", err)
		}
		if _, err := s.BeginDue(ctx, d.Key(), born.Add(never)); !errors.Is(err, delivery.ErrOver) {
			t.Errorf("tried all the same: %v", err)
		}
	}
	if stuck, err := s.Stuck(ctx); err != nil || fmt.Sprint(stuck) != "[github 42: 1]" || due(t, s, born.Add(never)) != 0 {
		t.Errorf("told of: %v, %v", stuck, err)
	}
	if got, err := s.Redeliver(ctx, "github", waits.ID, born); err != nil || got.State != delivery.Received {
		t.Errorf("redelivered: %+v, %v", got, err)
	}
	if got := get(t, s, waits.ID); got.State != delivery.Received || got.Problem != "" {
		t.Errorf("redelivered: %+v", got)
	}
}

// TestDeliveryThatTheHostSendsAgainIsTriedIfNobodyElseWould sends a delivery a
// second time in each of its states.
func TestDeliveryThatTheHostSendsAgainIsTriedIfNobodyElseWould(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for state, c := range map[string]struct {
		reach func(delivery.Store, delivery.Delivery) error
		again bool
	}{
		"done": {func(s delivery.Store, d delivery.Delivery) error { return s.Finish(ctx, d, delivery.Done, "", born) }, false},
		"ignored": {func(s delivery.Store, d delivery.Delivery) error {
			return s.Finish(ctx, d, delivery.Ignored, "x", born)
		}, false},
		"waiting": {func(s delivery.Store, d delivery.Delivery) error { _, err := s.Park(ctx, d, "x", born); return err }, false},
		"begun":   {func(delivery.Store, delivery.Delivery) error { return nil }, false},
		"stuck":   {func(s delivery.Store, d delivery.Delivery) error { _, err := s.GiveUp(ctx, d, "x", born); return err }, true},
		"dismissed": {func(s delivery.Store, d delivery.Delivery) error {
			parked, err := s.GiveUp(ctx, d, "x", born)
			return errors.Join(err, s.Dismiss(ctx, parked, "operator:ann"))
		}, true},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s, _ := store(t)
			d := of("42", 1)
			accept(t, s, d, "{}")
			if err := c.reach(s, begin(t, s, d)); err != nil {
				t.Fatal(err)
			}
			before := get(t, s, d.ID)
			later := d
			later.ReceivedAt = born.Add(time.Hour)
			for range 2 {
				if fresh, err := s.Accept(ctx, later, []byte("{}")); err != nil || fresh {
					t.Fatalf("new %t, %v", fresh, err)
				}
			}
			after := get(t, s, d.ID)
			if !c.again && after != before {
				t.Errorf("changed from %+v to %+v", before, after)
			}
			if c.again && (after.State != delivery.Received || after.Tries != 0 || after.Problem != "" || after.Redelivered() != 1 || !after.ReceivedAt.Equal(d.ReceivedAt)) {
				t.Errorf("not tried again, once: %+v", after)
			}
			if c.again && due(t, s, later.ReceivedAt.Add(delivery.Lease)) != 1 {
				t.Error("never due, should nobody be woken")
			}
		})
	}
}

func TestHostsRedeliverySurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	s, env := store(t)
	giveUp(t, s, of("42", 1))
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer})
	lossy := delivery.Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}
	if fresh, err := lossy.Accept(t.Context(), of("42", 1), []byte("{}")); err != nil || fresh {
		t.Fatalf("new %t, %v", fresh, err)
	}
	if got := get(t, s, of("42", 1).ID); got.State != delivery.Received || got.Redelivered() != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestStuckDeliveriesOfBeforeAreFound stores a delivery in the index in the older
// form, by its time only: earlier, the index did not sort by installation.
func TestStuckDeliveriesOfBeforeAreFound(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	giveUp(t, s, of("42", 1), of("43", 2))
	_, err := s.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: attr.Item{"pk": attr.String(of("42", 1).Key().Lane), "sk": attr.String(of("42", 1).Key().Place)},
		UpdateExpression: aws.String("SET due = :due"), ExpressionAttributeValues: attr.Item{":due": attr.Int(born.UnixMilli())},
	})
	if err != nil {
		t.Fatal(err)
	}
	if stuck, err := s.Stuck(t.Context()); err != nil || fmt.Sprint(stuck) != "[github 42: 1 github 43: 1]" || !stuck[0].Since.Equal(born) {
		t.Errorf("stuck: %v, %v", stuck, err)
	}
	if list, err := s.Parked(t.Context(), 1); err != nil || ids(list) != "42.001" {
		t.Errorf("listed: %q, %v", ids(list), err)
	}
}
