// SPDX-License-Identifier: MIT

// growing stops in the middle of a doubling.
//
// A map of 4,096 buckets takes 26,624 entries (6.5 for each bucket). The
// 26,625th insert gives it 8,192 buckets, but moves nothing yet: from then on
// every write moves the old bucket that its own key belongs to, and the next
// one in order. 27,000 entries later 376 writes have done so, and about 17 %
// of the old buckets are evacuated: 83 % of the entries still live in the old
// array, the others in the new one, and the evacuated old buckets still hold
// bytes that look like entries.
//
//	growing [--truth FILE]
//
// FILE receives what the map must hold, one JSON object per line, sorted by
// key; it is written from what was inserted, never read from the map.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
)

const entries = 27000

// checkpoint is where a debugger stops: `break main.checkpoint`.
//
//go:noinline
func checkpoint(m map[string]int) int {
	return len(m)
}

// key returns the i-th key; keys sort in the order of i.
func key(i int) string {
	return fmt.Sprintf("session-%05d", i)
}

func writeTruth(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := 0; i < entries; i++ {
		fmt.Fprintf(w, "{\"key\": %q, \"value\": %d}\n", key(i), i)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func main() {
	truth := flag.String("truth", "", "write the entries that the map must hold to `FILE`")
	flag.Parse()
	if *truth != "" {
		if err := writeTruth(*truth); err != nil {
			fmt.Fprintln(os.Stderr, "growing:", err)
			os.Exit(1)
		}
	}

	m := make(map[string]int)
	for i := 0; i < entries; i++ {
		m[key(i)] = i
	}
	fmt.Printf("%d entries\n", checkpoint(m))
}
