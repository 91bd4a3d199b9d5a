// SPDX-License-Identifier: MIT

// N assignments to one map while a debugger waits for assignments to another.
//
//	assignments N
//
// Prints nanoseconds for each, by the program's own clock.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

var other = map[uint64]uint64{1: 1}

// ready is where debuggers set what they compare with: main.other.
//
//go:noinline
func ready() int { return len(other) }

func main() {
	n := uint64(1000000)
	if len(os.Args) > 1 {
		n, _ = strconv.ParseUint(os.Args[1], 10, 64)
	}
	written := make(map[uint64]uint64)
	for i := uint64(0); i < 1000; i++ {
		written[i] = i
	}
	ready()
	start := time.Now()
	for i := uint64(0); i < n; i++ {
		written[i*7%1000] = i
	}
	fmt.Println("ns", float64(time.Since(start).Nanoseconds())/float64(n))
}
