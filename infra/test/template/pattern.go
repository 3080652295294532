package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Pattern is a filter of an event source ("Lambda event filtering", AWS documentation). Of that
// language it supports only texts and prefixes of texts.
type Pattern struct {
	members map[string]Pattern
	// At a leaf, in place of members: any of these texts matches, and any text that
	// begins with one of these prefixes.
	texts, prefixes []string
}

// ParsePattern parses a pattern: an object whose members are objects or lists of texts and
// {"prefix": text}. It refuses everything else that AWS supports, such as numbers and "exists".
func ParsePattern(text string) (Pattern, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	var v any
	if err := d.Decode(&v); err != nil {
		return Pattern{}, fmt.Errorf("it is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Pattern{}, errors.New("something follows the JSON")
	}
	if _, ok := v.(map[string]any); !ok {
		return Pattern{}, errors.New("it is no object")
	}
	return pattern(v)
}

func pattern(v any) (Pattern, error) {
	var p Pattern
	switch v := v.(type) {
	case map[string]any:
		p.members = map[string]Pattern{}
		for name, value := range v {
			member, err := pattern(value)
			if err != nil {
				return Pattern{}, fmt.Errorf("%s: %w", name, err)
			}
			p.members[name] = member
		}
		if len(v) == 0 {
			return Pattern{}, errors.New("an object without members is not supported")
		}
		return p, nil
	case []any:
		for _, item := range v {
			object, _ := item.(map[string]any)
			if prefix, ok := object["prefix"].(string); ok && len(object) == 1 {
				p.prefixes = append(p.prefixes, prefix)
				continue
			}
			text, ok := item.(string)
			if !ok {
				return Pattern{}, fmt.Errorf("%v: only texts and prefixes are supported", item)
			}
			p.texts = append(p.texts, text)
		}
		if len(v) == 0 {
			return Pattern{}, errors.New("an empty list matches nothing")
		}
		return p, nil
	}
	return Pattern{}, fmt.Errorf("%v: only objects, and lists of texts, are supported", v)
}

// Passes reports whether the stream's filters pass the record of an item that was added or
// changed. Filters see the item's key and its attributes that are texts. Patterns of this
// package match nothing else.
func (s Stream) Passes(item map[string]types.AttributeValue) bool {
	image := map[string]any{}
	for name, value := range item {
		if text, ok := value.(*types.AttributeValueMemberS); ok {
			image[name] = map[string]any{"S": text.Value}
		}
	}
	keys := map[string]any{"pk": image["pk"], "sk": image["sk"]}
	record := map[string]any{"dynamodb": map[string]any{"Keys": keys, "NewImage": image}}
	return len(s.Filters) == 0 || slices.ContainsFunc(s.Filters, func(p Pattern) bool { return p.Matches(record) })
}

// Matches reports whether a record has all members of the pattern, and at each leaf one of the
// leaf's texts or prefixes. The record must have the form that encoding/json decodes to.
func (p Pattern) Matches(record any) bool {
	if p.members == nil {
		text, ok := record.(string)
		return ok && (slices.Contains(p.texts, text) ||
			slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) }))
	}
	object, ok := record.(map[string]any)
	if !ok {
		return false
	}
	for name, member := range p.members {
		value, ok := object[name]
		if !ok || !member.Matches(value) {
			return false
		}
	}
	return true
}
