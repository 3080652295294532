// Package eventtest sends the invocation events of events/ to the real binaries of the
// functions. events/README.md describes the files. "make sam-test" sends the same events to the
// functions in containers.
package eventtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

const expectSuffix = ".expect.json"

// testCase is one event and the expected result.
type testCase struct {
	folder, name string
	event        []byte
	after        []string // names of cases of the same folder that must run first
	want         any
}

// values maps the placeholders of a file to their values.
type values map[string]string

var placeholder = regexp.MustCompile(`\{\{(\w+)\}\}`)

// load reads the cases of one folder and replaces the placeholders.
func load(dir string, v values) (map[string]testCase, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	cases := map[string]testCase{}
	for _, file := range files {
		name, isExpectation := strings.CutSuffix(filepath.Base(file), expectSuffix)
		if isExpectation {
			continue
		}
		name = strings.TrimSuffix(name, ".json")
		c := testCase{folder: filepath.Base(dir), name: name}
		if c.event, err = v.read(file); err != nil {
			return nil, err
		}
		text, err := v.read(filepath.Join(dir, name+expectSuffix))
		if err != nil {
			return nil, err
		}
		var expect struct {
			After  []string `json:"after"`
			Answer any      `json:"answer"`
		}
		if err := json.Unmarshal(text, &expect); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", c.folder, name, err)
		}
		c.after, c.want = expect.After, expect.Answer
		cases[name] = c
	}
	return cases, nil
}

func (v values) read(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var unknown error
	filled := placeholder.ReplaceAllStringFunc(string(text), func(s string) string {
		value, ok := v[strings.Trim(s, "{}")]
		if !ok {
			unknown = fmt.Errorf("%s: nothing is known as %s", file, s)
		}
		return value
	})
	return []byte(filled), unknown
}

// mismatch says which part of got does not match want. It returns "" if everything matches.
func mismatch(want, got any, where string) string {
	if pattern, ok := want.(string); ok && strings.HasPrefix(pattern, "~") {
		text, isText := got.(string)
		if !isText {
			text = jsonText(got)
		}
		if !regexp.MustCompile(pattern[1:]).MatchString(text) {
			return fmt.Sprintf("%s: got %.300s, want a match of %s", where, text, pattern[1:])
		}
		return ""
	}
	if text, ok := got.(string); ok && reflect.ValueOf(want).Kind() != reflect.String && want != nil {
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			return fmt.Sprintf("%s: got %.300q, which is no JSON", where, text)
		}
	}
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			break
		}
		for key, value := range want {
			member, ok := object[key]
			if !ok {
				return fmt.Sprintf("%s.%s: missing in %.300s", where, key, jsonText(got))
			}
			if found := mismatch(value, member, where+"."+key); found != "" {
				return found
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			break
		}
		for i := range want {
			if found := mismatch(want[i], list[i], fmt.Sprintf("%s[%d]", where, i)); found != "" {
				return found
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s: got %.300s, want %.300s", where, jsonText(got), jsonText(want))
	}
	return ""
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
