// SPDX-License-Identifier: MIT

// Fills four maps side by side, to 1,000,000 entries each: what a stop at one
// of them costs the whole program.
//
//	stops_four_maps_go
//
// prints "took WALL CPU ARMING": nanoseconds. WALL, of the clock on the wall,
// and CPU, of this process, are of all assignments; ARMING, of the clock on the
// wall, is what a debugger took at checkpoint.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

const entries = 1_000_000

// Package variables, and so never on a goroutine's stack, which may move.
var (
	first  = map[uint64]uint64{}
	second = map[uint64]uint64{}
	third  = map[uint64]uint64{}
	fourth = map[uint64]uint64{}
)

// checkpoint is where a debugger looks the maps up (--at); finished, where it
// looks once more at the end.
//
//go:noinline
func checkpoint() {}

//go:noinline
func finished() {}

func cpuNanoseconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	maps := [...]map[uint64]uint64{first, second, third, fourth}
	for _, m := range maps {
		m[0] = 0
	}
	before := time.Now()
	checkpoint()
	arming := time.Since(before)
	wall, cpu := time.Now(), cpuNanoseconds()
	for i := uint64(1); i < entries; i++ {
		for _, m := range maps {
			m[i*0x9e3779b97f4a7c15] = i
		}
	}
	cpu = cpuNanoseconds() - cpu
	taken := time.Since(wall)
	finished()
	fmt.Println("took", taken.Nanoseconds(), cpu, arming.Nanoseconds())
	if len(first) != entries || len(fourth) != entries {
		os.Exit(1)
	}
}
