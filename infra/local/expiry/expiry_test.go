//go:build unix

package expiry

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/template"
)

func TestSweepDeletesOnlyWhatIsExpired(t *testing.T) {
	t.Parallel()
	env, now := storagetest.New(t), time.Now()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	name := env.Table("KvTable")
	tpl, err := template.Load(filepath.Join(root, "template.yaml"), template.Options{Name: func(string) string { return name }})
	if err != nil {
		t.Fatal(err)
	}
	for sk, ttl := range map[string]int64{"past": now.Unix() - 1, "now": now.Unix(), "future": now.Unix() + 60, "never": 0} {
		item := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberB{Value: []byte(sk)}}
		if ttl > 0 {
			item["ttl"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(ttl, 10)}
		}
		if _, err := env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(name), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Sweep(t.Context(), env.DynamoDB, *tpl.Table("KvTable"), now); n != 1 || err != nil {
		t.Errorf("deleted: got %d, %v, want 1", n, err)
	}
	left, err := env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(name)})
	if err != nil || left.Count != 3 {
		t.Errorf("left: got %d, %v, want 3", left.Count, err)
	}
}
