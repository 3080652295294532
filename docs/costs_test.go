package docs_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestItemsCostWhatTheDocumentSays writes the items of which costs.md gives
// the write units, measures them, and compares.
func TestItemsCostWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	const chunk = 136_620 // 100 KiB in base64, and what stands around it
	env := storagetest.New(t)
	store := kv.New(env.DynamoDB, env.S3, env.Table("KvTable"), env.Bucket("KvBucket"))
	keys := apikey.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")}
	set := func(key string, idx, size int) {
		value, err := canonical.Parse([]byte(`"` + strings.Repeat("x", size-2) + `"`))
		if err != nil {
			t.Fatal(err)
		}
		ns := vcs.Installation{VCS: "github", ID: "12345678"}
		w := kv.Write{Key: key + strings.Repeat("-", 40-len(key)), Idx: idx, Value: value, Committed: true}
		if _, err := store.Set(t.Context(), kv.Caller{Installation: ns, Author: author()}, w); err != nil {
			t.Fatal(err)
		}
	}
	set("tiny", 0, 100)
	set("inline", 0, kv.InlineMax)
	set("large", 0, kv.InlineMax+1)
	set("chunked", 1, chunk)
	n := apikey.New{User: uuid.NewString(), Name: "nightly build", Capabilities: access.Strings()}
	if _, _, err := keys.Create(t.Context(), n, author()); err != nil {
		t.Fatal(err)
	}
	document := read(t, "costs.md")
	for _, item := range []struct{ table, sort, words string }{
		{"KvTable", "ktiny", "record with a value of 100 bytes"},
		{"KvTable", "kinline", "record with a value of 8 KiB, the largest that stays in the table"},
		{"KvTable", "klarge", "record of a larger value, which lies in the bucket"},
		{"KvTable", "\x80\x01", "record of a chunk of 100 KiB, at another idx than 0"},
		{"KvTable", "kchunked", "head of the key of that chunk"},
		{"TokensTable", "KEY#", "API key, and once more in its index"},
	} {
		size := find(t, env, item.table, item.sort)
		row := fmt.Sprintf("| %s | %d |", item.words, (size+1023)/1024)
		if !strings.Contains(document, row) {
			t.Errorf("costs.md has no row %q; the item has %d bytes", row, size)
		}
	}
}

// author is one whose ids are as long as they are on AWS.
func author() change.Author {
	return change.Author{
		Principal: uuid.NewString(), Credential: uuid.NewString(), Request: uuid.NewString(),
		Source: "203.0.113.250", At: time.Now(),
	}
}

// find answers the size of the item whose sort key begins with some text.
func find(t *testing.T, env *storagetest.Env, table, sort string) int {
	t.Helper()
	out, err := env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(env.Table(table))})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range out.Items {
		var key string
		switch v := item["sk"].(type) {
		case *types.AttributeValueMemberS:
			key = v.Value
		case *types.AttributeValueMemberB:
			key = string(v.Value)
		}
		if strings.HasPrefix(key, sort) {
			return costs.ItemSize(item)
		}
	}
	t.Fatalf("%s has no item %q", table, sort)
	return 0
}

// TestCostsFollowFromWhatIsUsed holds every price of costs.md to the units and
// the prices beside it.
func TestCostsFollowFromWhatIsUsed(t *testing.T) {
	t.Parallel()
	document, err := costs.Read()
	if err != nil {
		t.Fatal(err)
	}
	prices, err := document.Prices()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range prices.Wrong() {
		t.Error(wrong)
	}
	for _, heading := range []string{"What a million objects cost", "What a GiB costs", "An idle month"} {
		wrong, err := prices.WrongSums(heading)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range wrong {
			t.Errorf("%s: %s", heading, line)
		}
	}
}

// checked is where a test names a section of costs.md that it counts.
var checked = regexp.MustCompile(`(?m)^\t(?:costs\.Check\(|\}).*?((?:, "[^"]+")+)\)$`)

// TestEverySectionOfCostsIsCounted looks for the test of each section.
func TestEverySectionOfCostsIsCounted(t *testing.T) {
	t.Parallel()
	document, err := costs.Read()
	if err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob("../functions/*/costs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	counted := ""
	for _, path := range tests {
		for _, found := range checked.FindAllStringSubmatch(read(t, path), -1) {
			counted += found[1]
		}
	}
	sections := document.Sections()
	if len(sections) == 0 {
		t.Error("costs.md has no section of operations")
	}
	for _, section := range sections {
		if !strings.Contains(counted, fmt.Sprintf("%q", section)) {
			t.Errorf("no test counts the section %q of costs.md", section)
		}
	}
}
