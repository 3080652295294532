//go:build !race

package result_test

// allowed is how many bytes may be allocated for each byte of a body.
const allowed = 6
