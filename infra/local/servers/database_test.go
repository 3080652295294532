//go:build unix

package servers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// TestDatabaseIsWhatItsSourceSays compares the binary database with its source text. SQLite
// keeps each statement of its schema as it was written.
func TestDatabaseIsWhatItsSourceSays(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("dynoxide/streams.sql")
	if err != nil {
		t.Fatal(err)
	}
	statements := 0
	for part := range strings.SplitSeq(string(source), "CREATE ") {
		// The text before the first statement is a comment.
		if !strings.HasPrefix(part, "INDEX") && !strings.HasPrefix(part, "TRIGGER") {
			continue
		}
		end := ";\n"
		if strings.HasPrefix(part, "TRIGGER") {
			end = "\nEND;\n"
		}
		statement, _, _ := strings.Cut(part, end)
		statements++
		if !bytes.Contains(newDatabase, []byte("CREATE "+statement)) {
			t.Errorf("new.sqlite lacks this statement of streams.sql, run dynoxide/make:\n%s", statement)
		}
	}
	if statements != 3 {
		t.Errorf("found %d statements in streams.sql, want two indexes and a trigger", statements)
	}
}

func TestDataOfAnEarlierVersionIsToldOfAndKept(t *testing.T) {
	t.Parallel()
	earlier := bytes.Clone(newDatabase)
	copy(earlier[versionOffset:], make([]byte, 4))
	for name, c := range map[string]struct {
		content []byte // nil: no file
		told    bool
	}{
		"none":         {nil, false},
		"this version": {newDatabase, false},
		"earlier":      {earlier, true},
		"empty":        {[]byte{}, true},
	} {
		path := filepath.Join(t.TempDir(), "dynamodb.sqlite")
		want := newDatabase
		if c.content != nil {
			want = c.content
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		told := false
		if err := prepareDatabase(path, func(string) { told = true }); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the file has %d bytes, want %d; %v", name, len(got), len(want), err)
		}
		if told != c.told {
			t.Errorf("%s: told of it: %t, want %t", name, told, c.told)
		}
	}
}

// read returns the number of bytes that a process has read from files and connections.
func read(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Skip("the system does not count what a process reads")
	}
	_, after, _ := strings.Cut(string(text), "rchar: ")
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestStreamIsNotReadAsAWhole counts the bytes that the server reads to write a change and to
// return the newest changes, when the stream holds 12 MB.
func TestStreamIsNotReadAsAWhole(t *testing.T) {
	t.Parallel()
	if !hasDynoxide() || os.Getenv("DYNAMODB") == DynamoDBLocal {
		t.Skip("this is about dynoxide")
	}
	s := start(t, Options{DataDir: t.TempDir()})
	pid := s.keepers[0].Child().PID()
	db, _ := clients(s, SecretKey)
	streams := dynamodbstreams.New(dynamodbstreams.Options{
		Region: Region, Credentials: db.Options().Credentials, BaseEndpoint: aws.String(s.DynamoDBURL),
	})
	_, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("streamed"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	})
	if err != nil {
		t.Fatal(err)
	}
	const changes, size = 60, 200_000
	put := func(n int, text string) {
		t.Helper()
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("streamed"), Item: map[string]types.AttributeValue{
			"k": &types.AttributeValueMemberS{Value: strconv.Itoa(n)}, "text": &types.AttributeValueMemberS{Value: text},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range changes {
		put(n, strings.Repeat("x", size))
	}
	list, err := streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{TableName: aws.String("streamed")})
	if err != nil || len(list.Streams) != 1 {
		t.Fatalf("streams: got %v, %v", list, err)
	}
	described, err := streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: list.Streams[0].StreamArn})
	if err != nil {
		t.Fatal(err)
	}
	before := read(t, pid)
	const rounds = 5
	for n := range rounds {
		put(changes+n, "small")
		iterator, err := streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: list.Streams[0].StreamArn, ShardId: described.StreamDescription.Shards[0].ShardId,
			ShardIteratorType: streamtypes.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: aws.String(strconv.Itoa(changes + n)),
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		if err != nil || len(got.Records) != 1 {
			t.Fatalf("the newest change: got %v, %v", got, err)
		}
	}
	if got := read(t, pid) - before; got > changes*size/2 {
		t.Errorf("%d changes were written and read: the server read %d bytes", rounds, got)
	}
}
