// SPDX-License-Identifier: MIT

// readers reads a map that is left in the middle of a write.
package main

import "unsafe"

// hmap begins as Go's own (runtime/map.go, Go 1.17 to 1.23).
type hmap struct {
	count int
	flags uint8
}

var shared = map[int]int{}

//go:noinline
func read(m map[int]int, key int) int { return m[key] }

func main() {
	for i := 0; i < 100; i++ {
		shared[i] = i
	}
	(*(**hmap)(unsafe.Pointer(&shared))).flags |= 4 // hashWriting
	println(read(shared, 1))
}
