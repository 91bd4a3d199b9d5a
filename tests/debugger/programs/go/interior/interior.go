// SPDX-License-Identifier: MIT
//
// A map whose owner is kept by a pointer to another part of it alone: nothing
// that is typed leads to the map, and the collector keeps it.
package main

import (
	"fmt"
	"runtime"
)

type owner struct {
	hits  int
	items map[string]int
}

var hits *int

//go:noinline
func checkpoint() {}

//go:noinline
func fill() {
	o := &owner{items: map[string]int{"kept": 1, "by": 2, "a part": 3, "of it": 4}}
	hits = &o.hits
}

func main() {
	fill()
	runtime.GC()
	runtime.GC()
	checkpoint()
	fmt.Println(*hits)
}
