package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/change"
)

// Requests begin at born, and tables take their changes a moment later.
var (
	born  = time.UnixMilli(4_000_000_000_123).UTC()
	taken = born.Truncate(time.Second).Add(time.Second)
)

// rig is an auditor over tables of its own, and a stream of their changes.
type rig struct {
	*auditor
	env  *storagetest.Env
	log  bytes.Buffer
	was  map[string]map[string]events.DynamoDBAttributeValue
	next int // sequence number
}

var tables = map[string]audit.Table{
	"TokensTable": audit.Tokens, "OperationsTable": audit.Operations, "SessionsTable": audit.Sessions, "KvTable": audit.KV, "VcsTable": audit.VCS,
}

func newRig(t *testing.T) *rig {
	r := &rig{env: storagetest.New(t), was: map[string]map[string]events.DynamoDBAttributeValue{}}
	r.auditor = r.over(r.env)
	return r
}

func (r *rig) over(env *storagetest.Env) *auditor {
	known := map[string]audit.Table{}
	for name, table := range tables {
		known[env.Table(name)] = table
	}
	return &auditor{
		trail:  audit.Store{DB: env.DynamoDB, Table: env.Table("AuditTable"), Keep: time.Hour},
		tables: known, log: slog.New(slog.NewJSONHandler(&r.log, nil)), now: func() time.Time { return born },
	}
}

// changes answers what happened to the tables since it was last called, as their
// streams tell it.
func (r *rig) changes(t *testing.T) []events.DynamoDBEventRecord {
	t.Helper()
	now := map[string]map[string]events.DynamoDBAttributeValue{}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		physical := r.env.Table(name)
		pages := dynamodb.NewScanPaginator(r.env.DynamoDB, &dynamodb.ScanInput{TableName: &physical, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				i := streamed(t, item)
				now[physical+"|"+i["pk"].String()+"|"+fmt.Sprint(i["sk"])] = i
			}
		}
	}
	var list []events.DynamoDBEventRecord
	for _, key := range slices.Sorted(maps.Keys(merged(r.was, now))) {
		before, after := r.was[key], now[key]
		if reflect.DeepEqual(ordered(before), ordered(after)) {
			continue
		}
		one := after
		if one == nil {
			one = before
		}
		table, _, _ := strings.Cut(key, "|")
		r.next++
		list = append(list, events.DynamoDBEventRecord{
			EventSourceArn: "arn:aws:dynamodb:us-east-1:1:table/" + table + "/stream/x",
			Change: events.DynamoDBStreamRecord{
				Keys:     map[string]events.DynamoDBAttributeValue{"pk": one["pk"], "sk": one["sk"]},
				OldImage: before, NewImage: after, SequenceNumber: strconv.Itoa(r.next),
				ApproximateCreationDateTime: events.SecondsEpochTime{Time: taken},
			},
		})
	}
	r.was = now
	return list
}

// ordered is an item with its sets in order, so that items can be compared.
func ordered(item map[string]events.DynamoDBAttributeValue) map[string]events.DynamoDBAttributeValue {
	same := maps.Clone(item)
	for name, value := range same {
		if value.DataType() == events.DataTypeStringSet {
			same[name] = events.NewStringSetAttribute(slices.Sorted(slices.Values(value.StringSet())))
		}
	}
	return same
}

func merged(a, b map[string]map[string]events.DynamoDBAttributeValue) map[string]bool {
	all := map[string]bool{}
	for key := range a {
		all[key] = true
	}
	for key := range b {
		all[key] = true
	}
	return all
}

// streamed is an item as a stream tells it.
func streamed(t *testing.T, item map[string]types.AttributeValue) map[string]events.DynamoDBAttributeValue {
	t.Helper()
	found := map[string]events.DynamoDBAttributeValue{}
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			found[name] = events.NewStringAttribute(v.Value)
		case *types.AttributeValueMemberN:
			found[name] = events.NewNumberAttribute(v.Value)
		case *types.AttributeValueMemberB:
			found[name] = events.NewBinaryAttribute(v.Value)
		case *types.AttributeValueMemberBOOL:
			found[name] = events.NewBooleanAttribute(v.Value)
		case *types.AttributeValueMemberSS:
			set := slices.Clone(v.Value) // in no order
			rand.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
			found[name] = events.NewStringSetAttribute(set)
		case *types.AttributeValueMemberM:
			found[name] = events.NewMapAttribute(streamed(t, v.Value))
		default:
			t.Fatalf("attribute %s is %T", name, value)
		}
	}
	return found
}

// tell hands changes to an auditor, as Lambda does, and answers how many it took.
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

// all is every record, in the order of the trail.
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
