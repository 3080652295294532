package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
)

// Requests begin at born, and tables make their changes a moment later.
var (
	born  = time.UnixMilli(4_000_000_000_123).UTC()
	taken = born.Truncate(time.Second).Add(time.Second)
)

// rig is an auditor with tables of its own, and a stream of their changes.
type rig struct {
	*auditor
	env     *storagetest.Env
	log     bytes.Buffer
	streams []*storagetest.Changes
	next    int // sequence number
}

func newRig(t *testing.T) *rig { return rigOn(storagetest.New(t)) }

func rigOn(env *storagetest.Env) *rig {
	r := &rig{env: env}
	r.auditor = r.over(r.env)
	for _, source := range sources {
		r.streams = append(r.streams, &storagetest.Changes{Table: r.env.Table(string(source.Table)), At: taken})
	}
	return r
}

func (r *rig) over(env *storagetest.Env) *auditor {
	return &auditor{
		trail:   audit.Store{DB: env.DynamoDB, Table: env.Table("AuditTable"), Keep: time.Hour},
		sources: byName(func(t audit.Table) string { return env.Table(string(t)) }),
		log:     slog.New(slog.NewJSONHandler(&r.log, nil)), now: func() time.Time { return born },
	}
}

// changes returns the changes of the tables since the last call, in the form of
// their streams.
func (r *rig) changes(t *testing.T) []events.DynamoDBEventRecord {
	t.Helper()
	var list []events.DynamoDBEventRecord
	for _, table := range r.streams {
		some, err := table.Since(t.Context(), r.env.DynamoDB)
		if err != nil {
			t.Fatal(err)
		}
		for i := range some {
			r.next++
			some[i].Change.SequenceNumber = strconv.Itoa(r.next)
		}
		list = append(list, some...)
	}
	return list
}

// tell delivers changes to an auditor, as Lambda does, and returns how many it
// processed.
func tell(t *testing.T, a *auditor, list []events.DynamoDBEventRecord) int {
	t.Helper()
	answer, err := a.handle(t.Context(), events.DynamoDBEvent{Records: list})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.BatchItemFailures) == 0 {
		return len(list)
	}
	return slices.IndexFunc(list, func(r events.DynamoDBEventRecord) bool {
		return r.Change.SequenceNumber == answer.BatchItemFailures[0].ItemIdentifier
	})
}

// all returns every record, in the order of the trail.
func (r *rig) all(t *testing.T) []audit.Record {
	t.Helper()
	name := r.env.Table("AuditTable")
	out, err := r.env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out.Items, func(a, b map[string]types.AttributeValue) int {
		return cmp.Compare(a["sk"].(*types.AttributeValueMemberS).Value, b["sk"].(*types.AttributeValueMemberS).Value)
	})
	var list []audit.Record
	for _, item := range out.Items {
		var record audit.Record
		if err := json.Unmarshal([]byte(item["record"].(*types.AttributeValueMemberS).Value), &record); err != nil {
			t.Fatal(err)
		}
		list = append(list, record)
	}
	return list
}

func by(request string) change.Author {
	return change.Author{Principal: "ann", Credential: "key", Source: "192.0.2.1", Request: request, At: born}
}
