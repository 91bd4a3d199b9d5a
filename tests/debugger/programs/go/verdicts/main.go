// SPDX-License-Identifier: MIT

// verdicts holds maps whose hashes are as good as Go's are, and stops at checkpoint.
package main

import (
	"fmt"
	"math"
	"runtime"
)

type point struct {
	X, Y int32
}

var (
	texts  = map[string]int{}
	points = map[point]int{}
	large  = map[uint64]int{}
	either = map[any]int{}
	nans   = map[float64]int{}
	few    = map[int]int{1: 2}
	none   map[int]int
)

//go:noinline
func checkpoint() {}

func main() {
	for i := 0; i < 3000; i++ {
		texts[fmt.Sprintf("session-%05d", i)] = i
		points[point{int32(i % 50), int32(i / 50)}] = i
		either[i] = i
		nans[math.NaN()] = i
	}
	for i := uint64(0); i < 200000; i++ {
		large[i<<12] = int(i)
	}
	checkpoint()
	runtime.KeepAlive(none)
	fmt.Println(len(texts) + len(points) + len(large) + len(either) + len(nans) + len(few) + len(none))
}
