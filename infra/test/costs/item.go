//go:build unix

package costs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// ItemSize returns the size of an item in bytes as AWS counts it: its names and values
// ("DynamoDB item sizes and formats", AWS documentation). The size of an item without
// attributes, which means that no item exists, is 0.
func ItemSize(item attr.Item) int {
	size := 0
	for name, value := range item {
		size += len(name) + valueSize(value)
	}
	return size
}

func valueSize(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return numberSize(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberSS:
		return len(strings.Join(v.Value, ""))
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + ItemSize(v.Value) // for the map, for each of its pairs, and for their content
	}
	return 1 // boolean or null
}

// numberSize returns the size of a whole number in bytes: one byte for each two digits, and one
// more. A sign is one more byte. Zeros at both ends do not count.
func numberSize(text string) int {
	digits := strings.TrimRight(strings.TrimLeft(text, "-0"), "0")
	return (len(digits)+1)/2 + 1 + len(text) - len(strings.TrimLeft(text, "-"))
}

// wireItem is an item in the form in which it is sent.
type wireItem map[string]map[string]json.RawMessage

func (w wireItem) decode() (attr.Item, error) {
	item := attr.Item{}
	for name, value := range w {
		for kind, raw := range value {
			v, err := decodeValue(kind, raw)
			if err != nil {
				return nil, fmt.Errorf("attribute %s: %w", name, err)
			}
			item[name] = v
		}
	}
	return item, nil
}

func decodeValue(kind string, raw json.RawMessage) (types.AttributeValue, error) {
	var err error
	switch kind {
	case "S", "N", "B":
		var text string
		if err = json.Unmarshal(raw, &text); err != nil {
			return nil, err
		}
		switch kind {
		case "S":
			return &types.AttributeValueMemberS{Value: text}, nil
		case "N":
			return &types.AttributeValueMemberN{Value: text}, nil
		}
		b, err := base64.StdEncoding.DecodeString(text)
		return &types.AttributeValueMemberB{Value: b}, err
	case "BOOL":
		v := &types.AttributeValueMemberBOOL{}
		err = json.Unmarshal(raw, &v.Value)
		return v, err
	case "M":
		var pairs wireItem
		if err = json.Unmarshal(raw, &pairs); err != nil {
			return nil, err
		}
		inside, err := pairs.decode()
		return &types.AttributeValueMemberM{Value: inside}, err
	case "SS":
		v := &types.AttributeValueMemberSS{}
		err = json.Unmarshal(raw, &v.Value)
		return v, err
	}
	return nil, fmt.Errorf("type %s is not known here", kind)
}

// writeUnits returns the units of a write. bytes is the larger size of the item, before or
// after the write.
func writeUnits(bytes int) float64 { return max(1, math.Ceil(float64(bytes)/1024)) }

// readUnits returns the units of a read of so many bytes.
func readUnits(bytes int, consistent bool) float64 {
	units := max(1, math.Ceil(float64(bytes)/4096))
	if !consistent {
		units /= 2
	}
	return units
}
