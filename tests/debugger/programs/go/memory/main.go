// SPDX-License-Identifier: MIT
//
// Stops three times with a map, and with what Go's allocator says that it holds:
// full, after churn, and after another growth.
package main

import (
	"fmt"
	"math/rand"
	"runtime"
)

// M is the map.
var M map[uint64]uint64

// Where a debugger stops: `break main.checkpoint`.
//
//go:noinline
func checkpoint(held uint64) { fmt.Println("held", held, len(M)) }

// Bytes in use, after garbage is collected.
func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func main() {
	random := rand.New(rand.NewSource(1))
	before := heap()
	M = make(map[uint64]uint64)
	next := uint64(0)
	for ; next < 50000; next++ {
		M[next] = 1
	}
	checkpoint(heap() - before)
	for ; next < 250000; next++ {
		delete(M, uint64(random.Intn(int(next))))
		M[next] = 1
	}
	checkpoint(heap() - before)
	for ; next < 380000; next++ {
		M[next] = 1
	}
	checkpoint(heap() - before)
}
