// SPDX-License-Identifier: MIT

// One assignment after another to a map that no debugger waits for, and then a
// single one to the map that it does wait for: what a stop costs where it does
// not stop, and whether it stops where it should.
//
//	stops_assign_go COUNT
//
// prints "took WALL CPU": nanoseconds, of the clock on the wall and of this
// process, for all of the COUNT assignments together.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

const entries = 1024

var (
	watched = map[uint64]uint64{}
	other   = map[uint64]uint64{}
)

// checkpoint is where a debugger sets its stops: both maps are there and do not
// grow any more.
//
//go:noinline
func checkpoint() {}

func cpuNanoseconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	count := uint64(1_000_000)
	if len(os.Args) > 1 {
		n, err := strconv.ParseUint(os.Args[1], 10, 64)
		if err != nil {
			panic(err)
		}
		count = n
	}
	for key := uint64(0); key < entries; key++ {
		watched[key] = key
		other[key] = key
	}
	checkpoint()
	wall, cpu := time.Now(), cpuNanoseconds()
	for i := uint64(0); i < count; i++ {
		other[i%entries] = i
	}
	cpu = cpuNanoseconds() - cpu
	taken := time.Since(wall)
	watched[0] = 1
	fmt.Println("took", taken.Nanoseconds(), cpu)
}
