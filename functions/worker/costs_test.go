package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
)

func TestDeliveriesUseWhatTheDocumentSays(t *testing.T) {
	open := func(title string, after time.Duration) string { return pull(17, "open", title, born.Add(after)) }
	costs.Check(t, function, map[string]costs.Scenario{
		"delivery, first of a pull request":             processing("pull_request", open("One", 0)),
		"delivery that changes one":                     processing("pull_request", open("One", 0), open("Two", time.Minute)),
		"delivery that closes one":                      processing("pull_request", open("One", 0), pull(17, "closed", "One", born.Add(time.Minute))),
		"delivery of a change older than what is known": processing("pull_request", open("Two", time.Minute), open("One", 0)),
		"comment with a command":                        processing("issue_comment", said(5, "terrateam plan", born)),
		"comment without one":                           processing("issue_comment", said(5, "Well done!", born)),
		"push to the default branch":                    processing("push", pushTo("main", 0)),
		"loss of a repository":                          processing("installation_repositories", given("infra"), taken("infra")),
		"installation of 100 repositories":              processing("installation", installationOf(100)),
		"delivery that states nothing":                  processing("star", `{"action":"created","installation":{"id":42}}`),
		"delivery that cannot be read":                  processing("pull_request", `{"installation":`),
		"sweep that finds nothing":                      sweeping,
	}, "Worker")
}

func installationOf(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":%d,"full_name":"acme/service-%[1]d","private":true}`, i+1)
	}
	return fmt.Sprintf(`{"action":"created","installation":{"id":42,"account":{"login":"acme","type":"Organization"},"updated_at":%q},"repositories":[%s]}`,
		second(0), strings.Join(list, ","))
}

// processing counts the cost of the last of several deliveries.
func processing(event string, bodies ...string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function))
		r.Clock.Add(time.Minute) // later than the arrival
		r.worker = r.over(m.Role(function))
		var last events.DynamoDBEventRecord
		for i, body := range bodies {
			d := github(string(rune('a'+i))+"2d3162e-cc78-11e3-81ab-4c9367dc0958", event, time.Duration(i)*time.Second)
			if _, err := r.deliveries.Accept(t.Context(), d, []byte(body)); err != nil {
				t.Fatal(err)
			}
			if last = told(d); i < len(bodies)-1 {
				invoke(t, r.over(r.Role), last)
			}
		}
		m.Start()
		m.Invoke("worker")
		invoke(t, r.worker, last)
		return m
	}
}

// sweeping counts the cost of a scheduled run with one delivery that is not due.
func sweeping(t *testing.T) *costs.Meter {
	env, m := costs.New(t)
	r := rigOn(functiontest.On(env, function))
	r.Clock.Add(time.Minute)
	r.arrive(t, github("a", "push", 0), push("infra", born))
	m.Start()
	m.Invoke("worker")
	r.sweepOnce(t, r.over(m.Role(function)))
	return m
}
