// SPDX-License-Identifier: MIT

// Counted keeps a map, as a program (cgo links it as C programs are linked) and as a library of
// one (c-shared).
package main

import "C"
import "fmt"

type Mark struct {
	Number int
	Text   string
}

var Marks = map[string]Mark{}

//go:noinline
func marked(m map[string]Mark) int { return len(m) }

//go:noinline
func through[K comparable, V any](from map[K]V) int {
	m := from
	n := len(m)
	return n // in through
}

//export CountTo
func CountTo(limit C.int) C.int {
	for i := 0; i < int(limit); i++ {
		Marks[fmt.Sprintf("mark %d", i)] = Mark{i, "text"}
	}
	return C.int(marked(Marks) + through(Marks))
}

func main() { CountTo(40) }
