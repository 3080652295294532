package main

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestPlansAndSensitiveOutputsStayWhereTheyBelong plants secrets in plans and in sensitive
// outputs. A plan is only in the bucket below its prefix, which no other function may read
// (package template). A sensitive output is nowhere.
func TestPlansAndSensitiveOutputsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const inPlan, inOutput = "planted-in-a-plan-77a0", "planted-in-an-output-31d9"
	report := strings.Replace(applied, "hidden-8fa1", inOutput, 1)
	if !strings.Contains(report, inOutput) {
		t.Fatal("the report has no sensitive output")
	}
	var responses []string
	for _, at := range vcs.All() {
		plan := r.start(t, at, run.Plan)
		responses = append(responses, plan.store(t, net, inPlan, "").Body, plan.fetch(t, "path", net).Body, plan.ask(t, "GET", "/workspaces", "").Body)
		responses = append(responses, plan.ask(t, "PUT", "", planned).Body, plan.initiate(t).Body)
		apply := r.start(t, at, run.Apply, plan.chosen(t)...)
		apply.fetch(t, "path", net).WantBody(t, 200, `{"data":"`+base64.StdEncoding.EncodeToString([]byte(inPlan))+`"}`)
		responses = append(responses, apply.ask(t, "PUT", "", report).Body, apply.fetch(t, "path", net).Body, apply.initiate(t).Body)
		for _, s := range apply.steps(t, false) {
			responses = append(responses, string(s.Payload))
		}
	}
	stored := map[string]string{"RunsTable": r.Env.Dump("RunsTable"), "the log": r.Log.String(), "responses": strings.Join(responses, "\n")}
	bucket := r.Env.Bucket("RunsBucket")
	list, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	plans := 0
	for _, o := range list.Contents {
		out, err := r.Env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		name := aws.ToString(o.Key)
		if strings.HasPrefix(name, planstore.Prefix) {
			plans++
			if strings.Contains(string(text), inOutput) {
				t.Errorf("%s holds the sensitive output", name)
			}
			continue
		}
		stored[name] = string(text)
	}
	if plans != 2 || len(stored) < 7 {
		t.Errorf("looked at %d plans and %d other places, want 2 and some of each run", plans, len(stored))
	}
	for where, text := range stored {
		for _, secret := range []string{inPlan, base64.StdEncoding.EncodeToString([]byte(inPlan)), inOutput} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has the secret %s", where, secret)
			}
		}
	}
}
