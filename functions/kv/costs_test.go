package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	scenarios := map[string]costs.Scenario{}
	for _, some := range []map[string]costs.Scenario{costsOfReading, costsOfWriting, costsOfRemoving, costsOfCommitting, costsOfIterating, costsOfArtifacts} {
		maps.Copy(scenarios, some)
	}
	costs.Check(t, "KvFunction", scenarios, "Key-value store", "Artifacts")
}

// Values of the lengths that the document states, as JSON texts.
var (
	tiny   = value(100)
	inline = value(kv.InlineMax)
	larger = value(kv.InlineMax + 1)
	chunk  = value(136_620) // 100 KiB in base64, and the members around it
)

func value(length int) string { return `"` + strings.Repeat("x", length-2) + `"` }

// metered is the function on storage that counts its calls.
type metered struct {
	rig
	*costs.Meter
	env *storagetest.Env
}

func newMetered(t *testing.T) metered {
	t.Helper()
	env, m := costs.New(t)
	limits := artifact.Limits{Stored: 100 << 30, Uploading: 25 << 30, Uploads: 1000}
	return metered{servedOn(functiontest.On(env, function), m.Role(function), limits), m, env}
}

// request sends a request to the function, and fails the test if the status is
// another one.
func (m metered) request(t *testing.T, status int, method, target, body string) string {
	t.Helper()
	m.Request(method, base+target)
	answer := m.ask(t, method, target, body)
	if answer.StatusCode != status {
		t.Fatalf("%s %s: got %d %.300s, want %d", method, target, answer.StatusCode, answer.Body, status)
	}
	return answer.Body
}

// key returns a key of 40 bytes, about the length of real keys.
func key(name string) string { return name + strings.Repeat("-", 40-len(name)) }

func (m metered) put(t *testing.T, name string, idx int, committed bool, data string) {
	t.Helper()
	m.request(t, http.StatusOK, "PUT", "/key/"+key(name), fmt.Sprintf(`{"idx":%d,"committed":%t,"data":%s}`, idx, committed, data))
}

// multiply copies the only row besides idx 0, which is at idx 1, to every idx up to
// n. Writing the rows one by one would take too long.
func (m metered) multiply(t *testing.T, n int) {
	t.Helper()
	table, items := m.env.Table("KvTable"), []types.WriteRequest{}
	flush := func() {
		t.Helper()
		out, err := m.env.DynamoDB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: items}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("multiply a row: %v", err)
		}
		items = nil
	}
	row := m.row(t)
	for idx := 2; idx <= n; idx++ {
		another := maps.Clone(row)
		another["sk"] = attr.Bytes(binary.BigEndian.AppendUint16(nil, uint16(idx-kv.MinIdx)))
		items = append(items, types.WriteRequest{PutRequest: &types.PutRequest{Item: another}})
		if len(items) == 25 {
			flush()
		}
	}
	if len(items) > 0 {
		flush()
	}
}

// row returns the item of the only row besides idx 0.
func (m metered) row(t *testing.T) attr.Item {
	t.Helper()
	out, err := m.env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(m.env.Table("KvTable"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range out.Items {
		if sort, ok := item["sk"].(*types.AttributeValueMemberB); ok && bytes.Equal(sort.Value, []byte{0x80, 1}) {
			return item
		}
	}
	t.Fatal("there is no row at idx 1")
	return nil
}

// after returns a scenario that prepares the data and then sends one request.
func after(prepare func(*testing.T, metered), status int, method, target, body string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		m := newMetered(t)
		prepare(t, m)
		m.Start()
		m.request(t, status, method, target, body)
		return m.Meter
	}
}

func nothing(*testing.T, metered) {}

// has prepares one committed row.
func has(idx int, data string) func(*testing.T, metered) {
	return func(t *testing.T, m metered) { m.put(t, "k", idx, true, data) }
}

// hasChunks prepares a key with n chunks, beginning at idx 1.
func hasChunks(n int, committed bool) func(*testing.T, metered) {
	return func(t *testing.T, m metered) {
		m.put(t, "k", 1, committed, chunk)
		m.multiply(t, n)
	}
}

// all does several preparations one after the other.
func all(steps ...func(*testing.T, metered)) func(*testing.T, metered) {
	return func(t *testing.T, m metered) {
		for _, step := range steps {
			step(t, m)
		}
	}
}

// isRegistered makes the installation one to which the function has already
// written.
func isRegistered(t *testing.T, m metered) { m.put(t, "other", 1, true, tiny) }

// length returns how many entries a list in a response has.
func length(t *testing.T, body, member string) int {
	t.Helper()
	var answer map[string][]json.RawMessage
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return len(answer[member])
}
