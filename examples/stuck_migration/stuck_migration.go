// SPDX-License-Identifier: MIT
//
// The twin of stuck_migration.cpp: a Go map that is no longer written to keeps
// two arrays for ever.
package main

import "fmt"

const (
	full = 106496 // 6.5 for each of 16,384 buckets
	more = 4300   // writes, each of which moves two at most
)

// Where a debugger stops: `break main.checkpoint`.
//
//go:noinline
func checkpoint(m map[uint64]uint64) {}

func main() {
	m := make(map[uint64]uint64)
	for i := uint64(0); i < full+more; i++ {
		m[i] = i * i
	}
	// From here on it is a lookup table.
	sum := uint64(0)
	for i := uint64(0); i < 1000000; i++ {
		sum += m[i%uint64(len(m))]
	}
	checkpoint(m)

	// Overwriting what is there is writing too.
	for i := uint64(0); i < full; i++ {
		m[i] = i * i
	}
	checkpoint(m)
	fmt.Println(len(m), "entries,", sum)
}
