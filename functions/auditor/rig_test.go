package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/functiontest"
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
	*functiontest.Rig
	*auditor
	streams []*storagetest.Changes
	next    int // sequence number
}

const function = "AuditorFunction"

func newRig(t *testing.T) *rig { return rigOn(functiontest.New(t, function)) }

func rigOn(of *functiontest.Rig) *rig {
	r := &rig{Rig: of}
	r.Clock.Set(born)
	r.auditor = r.over(r.Role)
	for _, source := range sources {
		r.streams = append(r.streams, &storagetest.Changes{Table: r.Env.Table(string(source.Table)), At: taken})
	}
	return r
}

// over returns an auditor of the rig with the clients of an env.
func (r *rig) over(env *storagetest.Env) *auditor {
	return &auditor{
		trail:   audit.Store{DB: env.DynamoDB, Table: env.Table("AuditTable"), Keep: time.Hour},
		sources: byName(func(t audit.Table) string { return env.Table(string(t)) }),
		log:     r.Logger(), now: r.Clock.Now,
	}
}

// changes returns the changes of the tables since the last call, in the form of
// their streams.
func (r *rig) changes(t *testing.T) []events.DynamoDBEventRecord {
	t.Helper()
	var list []events.DynamoDBEventRecord
	for _, table := range r.streams {
		some, err := table.Since(t.Context(), r.Env.DynamoDB)
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
	return functiontest.Stream(t.Context(), t, a.handle, list...)
}

// all returns every record, in the order of the trail.
func (r *rig) all(t *testing.T) []audit.Record {
	t.Helper()
	name := r.Env.Table("AuditTable")
	out, err := r.Env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &name})
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
