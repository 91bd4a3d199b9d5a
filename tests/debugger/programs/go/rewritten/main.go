// SPDX-License-Identifier: MIT

// A map that grows and grows while one of its entries is written now and then: 0, 1, ..., 12. Then
// that entry is deleted, and made again.
package main

import "strconv"

var M = map[string]int{}

// Where a debugger stops, with the entry just made.
//
//go:noinline
func checkpoint() {}

func main() {
	M["kept"] = 0
	checkpoint()
	writes := 0
	for i := 1; i <= 3000; i++ {
		M[strconv.Itoa(i)] = i
		if i%250 == 0 {
			writes++
			M["kept"] = writes
		}
	}
	delete(M, "kept")
	M["kept"] = 77
	println(writes, "writes,", len(M), "entries")
}
