// SPDX-License-Identifier: MIT

// prealloc fills two slices with 2,500 numbers each: one that begins with
// nothing, and one that was made with room for all.
//
// The first one is given fourteen arrays on the way, and thirteen of them are
// garbage in the end. The second one has one.
//
//	prealloc
//
// It prints how often the two were moved while they were filled.
package main

import "fmt"

const numbers = 2500

var grown, made []int

// checkpoint is where a debugger stops: `break main.checkpoint`.
//
//go:noinline
func checkpoint(s []int) int {
	return cap(s)
}

// fill appends numbers, and counts how often that moves the slice.
//
//go:noinline
func fill(s *[]int) int {
	moves := 0
	for i := 0; i < numbers; i++ {
		before := cap(*s)
		*s = append(*s, i)
		if cap(*s) != before {
			moves++
		}
	}
	return moves
}

func main() {
	checkpoint(nil)
	first := fill(&grown)

	made = make([]int, 0, numbers)
	second := fill(&made)

	fmt.Printf("%d moves, %d with room for all (capacity %d)\n", first, second, checkpoint(grown))
}
