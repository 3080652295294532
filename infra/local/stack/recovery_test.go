//go:build unix

package stack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/local/servers"
)

// clients returns clients of a running stack's servers.
func clients(t *testing.T, state string) (*dynamodb.Client, *s3.Client) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(state, "stack.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		DynamoDBURL string `json:"dynamodb_url"`
		S3URL       string `json:"s3_url"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	keys := credentials.NewStaticCredentialsProvider(servers.AccessKey, servers.SecretKey, "")
	return dynamodb.New(dynamodb.Options{Region: servers.Region, Credentials: keys, BaseEndpoint: aws.String(d.DynamoDBURL)}),
		s3.New(s3.Options{Region: servers.Region, Credentials: keys, BaseEndpoint: aws.String(d.S3URL), UsePathStyle: true})
}

func TestKilledServersComeBackWithTheirData(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	s := start(t, newApp(t), state)
	db, objects := clients(t, state)
	table, bucket := aws.String("opsplane-operationstable"), aws.String("opsplane-bucket")
	key := func(n int) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: strconv.Itoa(n)},
		}
	}
	const rounds = 3
	for n := range rounds {
		// A client whose request is interrupted tries again, as a function does.
		s.await("the item to be written", func() bool {
			_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: key(n)})
			return err == nil
		})
		s.await("the object to be written", func() bool {
			_, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String(strconv.Itoa(n)), Body: strings.NewReader("x")})
			return err == nil
		})
		for _, p := range s.children() {
			if !strings.Contains(p.command, "bootstrap") {
				_ = syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
	}
	for n := range rounds {
		s.await("the item to be there", func() bool {
			out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: key(n), ConsistentRead: aws.Bool(true)})
			return err == nil && out.Item != nil
		})
		s.await("the object to be there", func() bool {
			_, err := objects.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String(strconv.Itoa(n))})
			return err == nil
		})
	}
	if log, err := os.ReadFile(filepath.Join(state, "servers.log")); err != nil || strings.Count(string(log), "single account mode") != rounds+1 {
		t.Errorf("log of the servers: got %q, %v, want %d starts of the S3 server", log, err, rounds+1)
	}
	if !strings.Contains(s.printed(), "starting it again") {
		t.Errorf("nothing is said of the restarts:\n%s", s.printed())
	}
}
