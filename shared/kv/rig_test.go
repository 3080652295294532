package kv_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/vcs"
)

// rig is a store on real servers, with short methods for the tests.
type rig struct {
	*kv.Store
	env *storagetest.Env
	ns  vcs.Installation
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	return rigOn(storagetest.New(t))
}

func rigOn(env *storagetest.Env) *rig {
	return &rig{
		Store: kv.New(env.DynamoDB, env.S3, env.Table("KvTable"), env.Bucket("KvBucket")),
		env:   env,
		ns:    vcs.Installation{VCS: "github", ID: "1"},
	}
}

// failing returns the same store behind a network that fails as faults say.
func (r *rig) failing(faults *storagetest.Faults) *rig {
	failing := rigOn(r.env.WithFaults(faults))
	failing.Known(r.ns)
	return failing
}

// author returns the author of a new request.
func (r *rig) author() change.Author {
	return change.Author{Principal: "user", Request: uuid.NewString(), At: time.Now()}
}

// caller returns a caller with these capabilities who makes a new request.
func (r *rig) caller(caps access.Set) kv.Caller {
	return kv.Caller{Installation: r.ns, Capabilities: caps, Author: r.author()}
}

func parse(t testing.TB, text string) canonical.Value {
	t.Helper()
	v, err := canonical.Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %.50s: %v", text, err)
	}
	return v
}

func (r *rig) write(t testing.TB, key string, idx int, value string) kv.Write {
	return kv.Write{Key: key, Idx: idx, Value: parse(t, value), Committed: true}
}

func (r *rig) set(t testing.TB, key string, idx int, value string, committed bool) kv.Record {
	t.Helper()
	w := r.write(t, key, idx, value)
	w.Committed = committed
	rec, err := r.Set(t.Context(), r.caller(nil), w)
	if err != nil {
		t.Fatalf("set %q %d: %v", key, idx, err)
	}
	return rec
}

// get reads a committed row.
func (r *rig) get(t testing.TB, key string, idx int) kv.Record {
	t.Helper()
	rec, err := r.Get(t.Context(), r.caller(nil), kv.Position{Key: key, Idx: idx}, false, true)
	if err != nil {
		t.Fatalf("get %q %d: %v", key, idx, err)
	}
	return rec
}

// missing requires that readers see no committed row.
func (r *rig) missing(t testing.TB, key string, idx int) {
	t.Helper()
	if rec, err := r.Get(t.Context(), r.caller(nil), kv.Position{Key: key, Idx: idx}, false, true); !errors.Is(err, fault.ErrNotFound) {
		t.Fatalf("get %q %d = %+v, %v; want not found", key, idx, rec, err)
	}
}

// emptied makes a key whose only row besides idx 0 was written and deleted.
func (r *rig) emptied(t testing.TB, key string) {
	t.Helper()
	r.set(t, key, 1, "1", true)
	one := 1
	if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: key, Idx: &one}, nil); err != nil || !done {
		t.Fatalf("delete of idx 1 answers %v, %v", done, err)
	}
}

// patchVersion sets the version of a row without writing the row that often.
func (r *rig) patchVersion(t testing.TB, key string, idx, version int) {
	t.Helper()
	pk, sk := kv.Stored(r.ns), append([]byte{'k'}, key...)
	if idx != 0 {
		pk, sk = pk+":"+r.generation(t, key), rowSort(idx)
	}
	_, err := r.env.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(r.env.Table("KvTable")), Key: tableKey(pk, sk),
		UpdateExpression:          aws.String("SET vr = :v"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberN{Value: fmt.Sprint(version)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// generation returns the generation of a key.
func (r *rig) generation(t testing.TB, key string) string {
	t.Helper()
	return stringOf(r.item(t, kv.Stored(r.ns), append([]byte{'k'}, key...))["gn"])
}

// rowSort returns the sort key of a row.
func rowSort(idx int) []byte {
	u := uint16(idx - kv.MinIdx)
	return []byte{byte(u >> 8), byte(u)}
}

func (r *rig) item(t testing.TB, pk string, sk []byte) map[string]types.AttributeValue {
	t.Helper()
	out, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(r.env.Table("KvTable")), Key: tableKey(pk, sk),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func stringOf(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func tableKey(pk string, sk []byte) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberB{Value: sk},
	}
}

// longAgo is longer than any request takes.
const longAgo = time.Hour

var systemWrite = access.Set{access.KVStoreSystemWrite}
