// SPDX-License-Identifier: MIT

// A function whose callers have maps in registers that it uses for something else, and on the stack.
package main

import "os"

//go:noinline
func stop(a, b, c map[string]int) int {
	return len(a) + len(b) + len(c)
}

var another = map[string]int{"another": len(os.Args)}

//go:noinline
func call() int { return stop(another, another, another) }

// lost needs none of its maps behind the call.
//
//go:noinline
func lost(m map[string]int, n map[int]int) int { return call() }

// kept needs both.
//
//go:noinline
func kept(m map[string]int, n map[int]int) int { return call() + len(m) + len(n) }

func main() {
	m := map[string]int{"the right one": 1}
	n := map[int]int{2: 3}
	println(lost(m, n), kept(m, n))
}
