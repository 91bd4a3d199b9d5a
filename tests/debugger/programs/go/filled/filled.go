// SPDX-License-Identifier: MIT

// filled fills two maps and clears one. A debugger stops at filling, filled and
// emptied, each of which is reached once.
package main

//go:noinline
func filling(m map[int]int) int {
	return len(m)
}

//go:noinline
func filled(m map[int]int) int {
	return len(m) + 1
}

//go:noinline
func emptied(m map[int]int) int {
	return len(m) + 2
}

var named = map[int]int{}

//go:noinline
func words(n int) map[string]int {
	return make(map[string]int, n)
}

func main() {
	named[0] = 1
	filling(named)
	for i := 0; i < 100; i++ {
		named[i] = i
	}
	hinted := words(50)
	for i := 0; i < 120; i++ {
		hinted[string(rune('A'+i))] = i
	}
	filled(named)
	for i := 0; i < 250; i++ {
		named[i] = i
	}
	for k := range named {
		delete(named, k)
	}
	emptied(named)
}
