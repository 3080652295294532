package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// A value is a JSON object with its number, padded so that some values stay
// in their row and some become objects in the bucket. Everything about it
// follows from the number, so that whoever reads it can check every byte.

// inlineMax is just what stays in a row (kv.InlineMax), so that values on both
// sides of the limit occur.
const inlineMax = 8 << 10

// kinds of values by their number: most are small.
const kinds = 32

func pad(value int) int {
	switch value % kinds {
	case 1:
		return 12 << 10
	case 2:
		return inlineMax - len(ValueText(0)) - len(fmt.Sprint(value)) + 1 // just fits
	case 3:
		return inlineMax - len(ValueText(0)) - len(fmt.Sprint(value)) + 2 // just does not
	}
	return value % 7
}

// ValueText is the canonical JSON text of the value with a number.
func ValueText(value int) string {
	if value == 0 {
		return `{"id":0,"pad":""}`
	}
	return fmt.Sprintf(`{"id":%d,"pad":"%s"}`, value, strings.Repeat(string(rune('a'+value%26)), pad(value)))
}

// File is the content of the artifact with a number.
func File(value int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%d;", value), 1+value%5))
}

// FileIn finds which artifact's file some bytes are.
func FileIn(file []byte) (int, error) {
	value := 0
	if _, err := fmt.Sscanf(string(file), "%d;", &value); err != nil || string(file) != string(File(value)) {
		return 0, fmt.Errorf("no file of ours: %.100q", file)
	}
	return value, nil
}

// FileHash is the SHA-256 of File, in hex.
func FileHash(value int) string {
	sum := sha256.Sum256(File(value))
	return hex.EncodeToString(sum[:])
}

// FileType is the content type of the artifact with a number.
func FileType(value int) string { return fmt.Sprintf("application/x-soak-%d", value) }

// FileText is the description that a record has for data, when it is the
// artifact with a number.
func FileText(value int) string {
	return fmt.Sprintf(`{"size":%d,"sha256":"%s","content_type":"%s"}`, len(File(value)), FileHash(value), FileType(value))
}

// firstFile is where the numbers of artifacts begin; below are values.
const firstFile = 1 << 24

// FileNumber turns a number into that of an artifact.
func FileNumber(value int) int { return firstFile + value }

// Text is what a record with the value, or the artifact, of a number has for
// data.
func Text(value int) string {
	if value >= firstFile {
		return FileText(value)
	}
	return ValueText(value)
}

// SizeOf is the size that the store must show for a number: characters of
// Text with a space after each colon and comma outside of strings.
func SizeOf(value int) int {
	if value >= firstFile {
		return len(FileText(value)) + 5
	}
	return len(ValueText(value)) + 3
}

// Number finds which value or artifact a text is. It is an error if it is
// none, down to the last byte.
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
