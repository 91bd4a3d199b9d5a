// SPDX-License-Identifier: MIT

// naming holds maps that are reached in unusual ways: through an interface,
// through a variable that a closure has captured, through a pointer.
package main

import "fmt"

var (
	Plain      = map[string]int{"plain": 1}
	Held   any = map[int]string{7: "held"}
	Number any = 7
)

//go:noinline
func checkpoint() {}

//go:noinline
func capture(n int) func() int {
	captured := map[string]int{"first": n}
	add := func() int {
		captured = map[string]int{"captured": n}
		checkpoint()
		return len(captured)
	}
	add()
	return add
}

func main() {
	fmt.Println(capture(3)(), len(Plain), Held, Number)
}
