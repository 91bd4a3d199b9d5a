// SPDX-License-Identifier: MIT
//
// Maps that live while the collector works: 500 with 4750 entries in live, one of 10000 in grown,
// and as many more as named in more; others are dropped all the time.
//
//	collected [MORE]
package main

import (
	"os"
	"runtime"
	"strconv"
)

var (
	live    [500]map[uint32]uint64
	grown   = map[uint64]uint32{}
	more    []map[int16]bool
	dropped map[string]int
)

// Where a debugger stops.
//
//go:noinline
func checkpoint() {}

func fill() {
	for i := range live {
		live[i] = map[uint32]uint64{}
		for n := 0; n < i%20; n++ {
			live[i][uint32(n)] = uint64(i)
		}
	}
	for n := uint64(0); n < 10000; n++ {
		grown[n] = uint32(n)
	}
}

// drop makes maps that nothing refers to soon.
//
//go:noinline
func drop() {
	for i := 0; i < 2000; i++ {
		dropped = map[string]int{strconv.Itoa(i): i}
	}
}

func main() {
	fill()
	if len(os.Args) > 1 {
		count, _ := strconv.Atoi(os.Args[1])
		for n := 0; n < count; n++ {
			more = append(more, map[int16]bool{int16(n): true})
		}
	}
	checkpoint()
	for i := 0; i < 100; i++ {
		drop()
		runtime.GC()
	}
}
