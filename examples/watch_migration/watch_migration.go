// SPDX-License-Identifier: MIT

// watch_migration lets a debugger watch one doubling from its start to its end.
//
// A map of 4,096 buckets is as full as it may be, 26,624 entries, when
// checkpoint is reached: there is the place to say what to wait for. The next
// insert starts the doubling to 8,192 buckets; the 5,000 inserts that follow
// evacuate all old buckets. Another map grows and migrates beside it all the
// time, several times over: whoever waits for the first one is not to notice.
package main

import "fmt"

const (
	full = 26624 // 6.5 for each of 4,096 buckets
	more = 5000
)

// A package's variable, because a local map that nothing else refers to lies on
// the goroutine's stack, and moves when that grows.
var sessions = make(map[string]int)

// checkpoint is where a debugger stops: `break main.checkpoint`.
//
//go:noinline
func checkpoint(m map[string]int) int {
	return len(m)
}

func key(i int) string {
	return fmt.Sprintf("session-%05d", i)
}

func main() {
	visits := make(map[int]int)
	for i := 0; i < full; i++ {
		sessions[key(i)] = i
	}
	checkpoint(sessions)
	for i := full; i < full+more; i++ {
		sessions[key(i)] = i
		for visit := 0; visit < 10; visit++ {
			visits[i*10+visit] = i
		}
	}
	fmt.Printf("%d sessions, %d visits\n", len(sessions), len(visits))
}
