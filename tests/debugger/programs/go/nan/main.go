// SPDX-License-Identifier: MIT

// nan holds a map of which most keys have no hash of their own: each insert of NaN makes one up.
package main

// Floats has 42 keys at the checkpoint, 40 of them NaN.
var Floats = map[float64]int{1: 1, 2: 2}

//go:noinline
func checkpoint(n int) int { return n }

func main() {
	zero := 0.0
	for i := 0; i < 40; i++ {
		Floats[zero/zero] = i
	}
	checkpoint(len(Floats))
}
