package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// installed returns the body of a delivery about an installation of n repositories,
// in GitHub's form.
func installed(n int) string {
	var b strings.Builder
	b.WriteString(`{"action":"created","installation":{"id":42,"account":{"login":"acme-corp","type":"Organization"},"updated_at":"2026-11-02T08:00:00Z"},"repositories":[`)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":%d,"node_id":"R_kgDOCyMr%06x","name":"some-service-name-%d","full_name":"acme-corp/some-service-name-%[3]d","private":true}`, 186_853_002+i, i, i)
	}
	return b.String() + "]}"
}

func TestLargestBodyIsProcessed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var commits strings.Builder
	for n := 0; commits.Len() < 5_900_000; n++ {
		fmt.Fprintf(&commits, `{"id":"%040x","message":"change %d","added":[],"removed":[],"modified":["main.tf"]},`, n, n)
	}
	body := strings.TrimSuffix(push("infra", born), "}") + `,"commits":[` + strings.TrimSuffix(commits.String(), ",") + `]}`
	d := github("a", "push", 0)
	if n := invoke(t, r.worker, r.arrive(t, d, body)); n != 1 || r.state(t, d).State != delivery.Done {
		t.Errorf("got %+v", r.state(t, d))
	}
	if repo, err := r.facts.repositories.Get(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository("7")); err != nil || repo.Name != "infra" {
		t.Errorf("repository %+v, %v", repo, err)
	}
}

// TestInstallationOfVeryManyRepositoriesGoesOnWhereItWas makes the first try fail
// after a part. The next try stores only the rest.
func TestInstallationOfVeryManyRepositoriesGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	const n = 2*maxPart + maxPart/2
	r := newRig(t)
	d := github("a", "installation", 0)
	d.Repository = ""
	record := r.arrive(t, d, installed(n))
	var calls atomic.Int32
	f := storagetest.Faults{Choose: func(string) storagetest.Fault {
		if calls.Add(1) > maxPart {
			return storagetest.Fault{Kind: storagetest.Refuse}
		}
		return storagetest.Fault{}
	}}
	first := r.over(r.Role)
	first.facts.repositories.DB = r.Role.WithFaults(&f).DynamoDB
	invoke(t, first, record)
	got := r.state(t, d)
	if got.State != delivery.Received || got.Applied != 2 || got.Tries != 0 {
		t.Fatalf("after the first try: %+v", got)
	}
	var counted storagetest.Faults
	second := r.over(r.Role)
	second.facts.repositories.DB = r.Role.WithFaults(&counted).DynamoDB
	// The stream reports it again, as after a redelivery.
	if invoke(t, second, record); r.state(t, d).State != delivery.Done {
		t.Fatalf("after the second try: %+v", r.state(t, d))
	}
	if calls := counted.Calls("UpdateItem"); calls != n-maxPart {
		t.Errorf("the second try makes %d calls for the %d that are left", calls, n-maxPart)
	}
	count, page := 0, repository.Query{Limit: 1000}
	for {
		list, err := r.facts.repositories.List(t.Context(), vcs.Installation{VCS: "github", ID: "42"}, page)
		if err != nil {
			t.Fatal(err)
		}
		if count += len(list); len(list) < page.Limit {
			break
		}
		page.After = list[len(list)-1].Cursor()
	}
	if count != n {
		t.Errorf("%d of %d repositories are known", count, n)
	}
}
