package gitrepo

import "testing"

func TestCacheForgetsWhenItIsFull(t *testing.T) {
	t.Parallel()
	var c cache[int, int]
	found := 0
	get := func(key, size int) {
		t.Helper()
		value, err := c.get(key, func() (int, error) { found++; return key, nil }, func(int) int { return size })
		if err != nil || value != key {
			t.Fatalf("got %d, %v", value, err)
		}
	}
	get(1, maxCache/2)
	get(2, maxCache/2)
	get(1, maxCache/2)
	if found != 2 {
		t.Errorf("found %d values, want 2: the third is kept", found)
	}
	get(3, 1)
	get(1, 1)
	if found != 4 || c.size > maxCache {
		t.Errorf("found %d values with the size %d, want 4: the first was forgotten", found, c.size)
	}
}
