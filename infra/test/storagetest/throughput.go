//go:build unix

package storagetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// PartitionThroughput is the throughput of one partition of DynamoDB: "Amazon DynamoDB
// Developer Guide", "Designing partition keys".
var PartitionThroughput = Throughput{WriteUnits: 1000, ReadUnits: 3000}

// Throughput limits each partition key of each table and index. It admits the units of one
// second at once, and that many units a second in the long run. A request is charged when its
// response arrives, with the units that the server reports as consumed. If the server reports
// nothing, as for a failed condition, the charge is one unit for each item. So one request may
// use more units than a partition has left, and then the next requests are throttled.
//
// A real partition holds several keys and may be split. A key is the smallest unit that a
// partition can hold. The units that a write consumes in indexes are charged to the table.
// Scans are not limited.
type Throughput struct {
	WriteUnits, ReadUnits float64
	// Now returns the time that determines how many units have come back. Nil means time.Now.
	Now func() time.Time
}

// WithThroughput returns clients of the same tables and buckets whose partitions have a limited
// throughput, which the clients share. A request above the limit is throttled as DynamoDB does
// it. An admitted request continues as a request of e.
func (e *Env) WithThroughput(t Throughput) *Env {
	if t.Now == nil {
		t.Now = time.Now
	}
	keys := map[string]string{}
	for _, table := range e.names.template.Tables {
		in := table.CreateInput()
		keys[table.Name] = aws.ToString(in.KeySchema[0].AttributeName)
		for _, i := range in.GlobalSecondaryIndexes {
			keys[table.Name+"/"+aws.ToString(i.IndexName)] = aws.ToString(i.KeySchema[0].AttributeName)
		}
	}
	return newEnv(e.DynamoDBURL, e.S3URL, e.names, &boundedClient{Throughput: t, keys: keys, next: e.client, left: map[string]*units{}}, e.role)
}

// boundedClient is the HTTP client of an AWS client with a limited throughput.
type boundedClient struct {
	Throughput
	keys map[string]string // name of the partition key, by table or table/index
	next aws.HTTPClient

	mu   sync.Mutex
	left map[string]*units // by partition, of reads and of writes
}

// units holds how many units a partition has left at a time. The number is negative if a
// request used more than there were.
type units struct {
	left float64
	at   time.Time
}

// Do implements aws.HTTPClient.
func (c *boundedClient) Do(r *http.Request) (*http.Response, error) {
	if r.Header.Get("X-Amz-Target") == "" || r.Body == nil {
		return c.next.Do(r)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	q, err := parseQuery(operation(r), text, c.keys)
	if err != nil {
		return nil, err
	}
	refused := c.exhausted(q)
	switch {
	case len(refused) == 0:
	case strings.HasPrefix(q.operation, "Transact"):
		return throttledTransaction(r, q, refused)
	case !q.batch() || len(refused) == len(q.items):
		r.Body = http.NoBody
		return answer(r, Throttle)
	default:
		q.hold(refused)
	}
	if text, err = q.encode(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	response, err := c.next.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	c.charge(q, consumed(body))
	if response.StatusCode == http.StatusOK && len(refused) > 0 {
		if body, err = q.unprocessed(body); err != nil {
			return nil, err
		}
		response.Header.Del("X-Amz-Crc32")
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return response, nil
}

// exhausted returns the indexes of a request's items whose partitions have no units left.
func (c *boundedClient) exhausted(q *query) map[int]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	refused := map[int]bool{}
	for i, item := range q.items {
		if c.bucket(q, item).left <= 0 {
			refused[i] = true
		}
	}
	return refused
}

// charge subtracts the consumed units from the partitions. All items of a table get the same
// share.
func (c *boundedClient) charge(q *query, byTable map[string]float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := map[string]float64{}
	for _, item := range q.items {
		items[item.table]++
	}
	for _, item := range q.items {
		share, told := byTable[item.table]
		if !told {
			share = items[item.table]
		}
		c.bucket(q, item).left -= share / items[item.table]
	}
}

// bucket returns the current units of an item's partition.
func (c *boundedClient) bucket(q *query, item touched) *units {
	name, rate := "read "+item.partition, c.ReadUnits
	if q.writes() {
		name, rate = "write "+item.partition, c.WriteUnits
	}
	now := c.Now()
	u := c.left[name]
	if u == nil {
		u = &units{left: rate, at: now}
		c.left[name] = u
	}
	if passed := now.Sub(u.at); passed > 0 {
		u.left, u.at = min(rate, u.left+passed.Seconds()*rate), now
	}
	return u
}

// consumed returns the units that a response reports, by table.
func consumed(answer []byte) map[string]float64 {
	type capacity struct {
		TableName     string
		CapacityUnits float64
	}
	var out struct{ ConsumedCapacity json.RawMessage }
	if json.Unmarshal(answer, &out) != nil || out.ConsumedCapacity == nil {
		return nil
	}
	var list []capacity
	if json.Unmarshal(out.ConsumedCapacity, &list) != nil {
		var one capacity
		if json.Unmarshal(out.ConsumedCapacity, &one) != nil {
			return nil
		}
		list = []capacity{one}
	}
	byTable := map[string]float64{}
	for _, c := range list {
		byTable[c.TableName] += c.CapacityUnits
	}
	return byTable
}

// throttledTransaction returns DynamoDB's response to a transaction of which it throttled some
// items. Such a transaction has no effect.
func throttledTransaction(r *http.Request, q *query, refused map[int]bool) (*http.Response, error) {
	body := cancelled(len(q.items))
	reasons := body["CancellationReasons"].([]map[string]string)
	for i := range reasons {
		reasons[i] = map[string]string{"Code": "None"}
		if refused[i] {
			reasons[i] = map[string]string{"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity of your table or index"}
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return reply(r, http.StatusBadRequest, "application/x-amz-json-1.0", string(text)), nil
}
