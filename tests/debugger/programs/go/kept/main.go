// SPDX-License-Identifier: MIT

// kept holds one map in a variable that is nil before the start, for core files that lack it.
package main

import "strconv"

// Table has 5,000 entries at the checkpoint.
var Table map[string]int

// Holder leads to a map by a pointer that the linker has put in.
var Holder = &struct{ Inner map[int]int }{}

//go:noinline
func checkpoint(n int) int { return n }

func main() {
	Table = map[string]int{}
	Holder.Inner = map[int]int{}
	for i := 0; i < 5000; i++ {
		Table["key "+strconv.Itoa(i)] = i
		Holder.Inner[i] = i
	}
	checkpoint(len(Table))
}
