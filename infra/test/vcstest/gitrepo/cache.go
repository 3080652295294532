package gitrepo

import "sync"

// cache keeps values that never change, because their keys are ids that follow from contents.
// It forgets all of them when they become too many.
type cache[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]V
	size  int // of all values
}

// maxCache is the size of all values of a cache. The size of a value is about the bytes that it
// takes.
const maxCache = 64 << 20

// get returns the value of a key, or finds it. Errors are not kept.
func (c *cache[K, V]) get(key K, find func() (V, error), size func(V) int) (V, error) {
	c.mu.Lock()
	value, ok := c.known[key]
	c.mu.Unlock()
	if ok {
		return value, nil
	}
	value, err := find()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += size(value)
	if c.known == nil || c.size > maxCache {
		c.known, c.size = map[K]V{}, size(value)
	}
	c.known[key] = value
	return value, nil
}

// perEntry is the size of a small value, with its key.
const perEntry = 200

// small is the size of a value that has always about the same size.
func small[V any](V) int { return perEntry }
