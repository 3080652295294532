package main

import (
	"testing"
	"time"
)

func TestFunctionDoesNotStartWithoutItsTimes(t *testing.T) {
	const name = "RUN_RETENTION_DAYS"
	for text, want := range map[string]time.Duration{"1": day, "400": 400 * day, "": 0, "0": 0, "-1": 0, "1.5": 0, "9999999999": 0, "x": 0} {
		t.Setenv(name, text)
		func() {
			defer func() {
				if p := recover(); (p != nil) != (want == 0) {
					t.Errorf("%q: got %v, want a refusal to start: %t", text, p, want == 0)
				}
			}()
			if got := span(name, day); got != want {
				t.Errorf("%q: got %v, want %v", text, got, want)
			}
		}()
	}
}
