//go:build unix

package costs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// A read unit is 4 KiB. So the server's bill shows where the size of an item passes from 4,096
// bytes to 4,097.
const readUnit = 4096

func TestAnItemCountsAsTheServerCountsIt(t *testing.T) {
	env := storagetest.New(t)
	table := env.Table("KvTable")
	// Long numbers that end in zeros are left out, because DynamoDB Local drops zeros only in
	// pairs.
	values := map[string]types.AttributeValue{
		"nought":                   number("0"),
		"one digit":                number("7"),
		"two digits":               number("42"),
		"three digits":             number("421"),
		"one zero behind":          number("10"),
		"two zeros behind":         number("100"),
		"milliseconds":             number("1795519650123"),
		"a flag":                   &types.AttributeValueMemberBOOL{Value: true},
		"nothing":                  &types.AttributeValueMemberNULL{Value: true},
		"bytes":                    &types.AttributeValueMemberB{Value: []byte{0, 1, 2}},
		"text of more than a byte": &types.AttributeValueMemberS{Value: "größe"},
		"a map":                    &types.AttributeValueMemberM{Value: attr.Item{"id": attr.String("583231"), "login": attr.String("ann"), "n": number("42")}},
		"a set of texts":           &types.AttributeValueMemberSS{Value: []string{"one", "three"}},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			bare := costs.ItemSize(padded(value, 0))
			for size, want := range map[int]float64{readUnit: 1, readUnit + 1: 2} {
				item := padded(value, size-bare)
				if _, err := env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
					t.Fatal(err)
				}
				read, err := env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
					TableName: &table, Key: attr.Item{"pk": item["pk"], "sk": item["sk"]},
					ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
				})
				if err != nil {
					t.Fatal(err)
				}
				if got := *read.ConsumedCapacity.CapacityUnits; got != want {
					t.Errorf("an item computed at %d bytes: the server reports %v units, want %v", size, got, want)
				}
			}
		})
	}
}

func number(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

// padded returns an item with the value and so many bytes of text.
func padded(value types.AttributeValue, padding int) attr.Item {
	return attr.Item{
		"pk": &types.AttributeValueMemberS{Value: "item"}, "sk": &types.AttributeValueMemberB{Value: []byte("row")},
		"value": value, "padding": &types.AttributeValueMemberS{Value: strings.Repeat("x", padding)},
	}
}
