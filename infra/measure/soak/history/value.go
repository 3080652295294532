package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// A value is a JSON object that contains its number and padding. The padding has several
// lengths, so that some values stay in their row and others become objects in the bucket. The
// number determines the whole value, so that a reader can check every byte.

// inlineMax is the maximum size of a value that stays in a row, in bytes (kv.InlineMax). Values
// on both sides of the limit occur.
const inlineMax = 8 << 10

// kinds is the number of kinds of values. A value's number determines its kind. Most values are
// small.
const kinds = 32

func pad(value int) int {
	switch value % kinds {
	case 1:
		return 12 << 10
	case 2:
		return inlineMax - len(ValueText(0)) - len(fmt.Sprint(value)) + 1 // just fits into the row
	case 3:
		return inlineMax - len(ValueText(0)) - len(fmt.Sprint(value)) + 2 // just does not fit
	}
	return value % 7
}

// ValueText returns the canonical JSON text of the value with a number.
func ValueText(value int) string {
	if value == 0 {
		return `{"id":0,"pad":""}`
	}
	return fmt.Sprintf(`{"id":%d,"pad":"%s"}`, value, strings.Repeat(string(rune('a'+value%26)), pad(value)))
}

// File returns the content of the artifact with a number.
func File(value int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%d;", value), 1+value%5))
}

// FileIn returns the number of the artifact whose file these bytes are.
func FileIn(file []byte) (int, error) {
	value := 0
	if _, err := fmt.Sscanf(string(file), "%d;", &value); err != nil || string(file) != string(File(value)) {
		return 0, fmt.Errorf("no file of ours: %.100q", file)
	}
	return value, nil
}

// FileHash returns the SHA-256 of File, in hex.
func FileHash(value int) string {
	sum := sha256.Sum256(File(value))
	return hex.EncodeToString(sum[:])
}

// FileType returns the content type of the artifact with a number.
func FileType(value int) string { return fmt.Sprintf("application/x-soak-%d", value) }

// FileText returns the description that a record has as its data if the record is the artifact
// with a number.
func FileText(value int) string {
	return fmt.Sprintf(`{"size":%d,"sha256":"%s","content_type":"%s"}`, len(File(value)), FileHash(value), FileType(value))
}

// firstFile is the first number of artifacts. Smaller numbers are values.
const firstFile = 1 << 24

// FileNumber converts a number to the number of an artifact.
func FileNumber(value int) int { return firstFile + value }

// Text returns the data of a record that holds the value or the artifact with a number.
func Text(value int) string {
	if value >= firstFile {
		return FileText(value)
	}
	return ValueText(value)
}

// SizeOf returns the size that the store must report for a number: the characters of Text, with
// one space after each colon and comma outside of strings.
func SizeOf(value int) int {
	if value >= firstFile {
		return len(FileText(value)) + 5
	}
	return len(ValueText(value)) + 3
}

// Number returns the number of the value or artifact that a text is. It checks every byte, and
// returns an error if the text is neither.
func Number(text []byte) (int, error) {
	var v struct {
		ID   int    `json:"id"`
		Type string `json:"content_type"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return 0, fmt.Errorf("no value of ours: %.100q", text)
	}
	if v.Type != "" {
		if _, err := fmt.Sscanf(v.Type, "application/x-soak-%d", &v.ID); err != nil {
			return 0, fmt.Errorf("no artifact of ours: %.100q", text)
		}
	}
	if string(text) != Text(v.ID) {
		return 0, fmt.Errorf("the value of %d is damaged: %.100q", v.ID, text)
	}
	return v.ID, nil
}

// IsFile reports whether a number is that of an artifact.
func IsFile(value int) bool { return value >= firstFile }
