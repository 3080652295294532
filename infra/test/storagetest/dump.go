//go:build unix

package storagetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Dump returns the whole content of one of the test's tables as text. There is one line for
// each item, with unchanged names and values. Binary values are not encoded, so that a test
// that searches for a secret also finds it in them.
func (e *Env) Dump(logicalID string) string {
	e.names.t.Helper()
	name := e.Table(logicalID)
	var text strings.Builder
	pages := dynamodb.NewScanPaginator(e.names.plain.DynamoDB, &dynamodb.ScanInput{TableName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			e.names.t.Fatalf("dump %s: %v", logicalID, err)
		}
		for _, item := range page.Items {
			dump(&text, &types.AttributeValueMemberM{Value: item})
			text.WriteByte('\n')
		}
	}
	return text.String()
}

func dump(text *strings.Builder, value types.AttributeValue) {
	switch v := value.(type) {
	case *types.AttributeValueMemberB:
		text.Write(v.Value)
	case *types.AttributeValueMemberBS:
		for _, b := range v.Value {
			text.Write(b)
			text.WriteByte(' ')
		}
	case *types.AttributeValueMemberS:
		text.WriteString(v.Value)
	case *types.AttributeValueMemberN:
		text.WriteString(v.Value)
	case *types.AttributeValueMemberSS:
		text.WriteString(strings.Join(v.Value, " "))
	case *types.AttributeValueMemberNS:
		text.WriteString(strings.Join(v.Value, " "))
	case *types.AttributeValueMemberL:
		for _, each := range v.Value {
			dump(text, each)
			text.WriteByte(' ')
		}
	case *types.AttributeValueMemberM:
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			text.WriteString(name + "=")
			dump(text, v.Value[name])
			text.WriteByte(' ')
		}
	case *types.AttributeValueMemberBOOL:
		fmt.Fprint(text, v.Value)
	case *types.AttributeValueMemberNULL:
		text.WriteString("null")
	}
}
