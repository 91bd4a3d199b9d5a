// SPDX-License-Identifier: MIT

// swiss fills one map, one key after the other, so that a debugger can step through all of
// its growth: keys 0 to n-1 are there while add(n) runs, and n may be.
package main

import "fmt"

var Table map[int]int

//go:noinline
func add(n int) { Table[n] = n * 10 }

func main() {
	Table = make(map[int]int)
	for n := 0; n < 5000; n++ {
		add(n)
	}
	fmt.Println(len(Table))
}
