// SPDX-License-Identifier: MIT

// ghost_write: two goroutines write one map without a lock. Go's runtime
// notices when one of them finds the map's hashWriting flag set by the other,
// and ends the program: "fatal error: concurrent map writes".
//
// Nothing waits here: both do nothing but write, so that most of the time both
// are inside a write. The map is made large enough at once. If it grew, both
// could evacuate the same bucket before anybody notices; then Go sees cells that
// cannot be, and ends the program with another message.
//
// The second map, guarded, is written by both goroutines too, under a mutex:
// nothing is wrong with it.
package main

import (
	"fmt"
	"runtime"
	"sync"
)

const (
	users  = 1000000
	writes = 50 * users // each goroutine's, if nobody notices
)

var (
	shared  = make(map[int]int, users)
	guarded = make(map[int]int)
	mutex   sync.Mutex
)

func write(id int, start, done *sync.WaitGroup) {
	defer done.Done()
	start.Done()
	start.Wait()
	for i := 0; i < writes; i++ {
		if i%1000 == 0 {
			mutex.Lock()
			guarded[i] = id
			mutex.Unlock()
		}
		shared[i%users] = id // no lock: the bug
	}
}

func main() {
	// A thread for each, also on one processor: Go does not take a goroutine off
	// its thread inside such a write, the system does.
	runtime.GOMAXPROCS(2)

	var start, done sync.WaitGroup
	start.Add(2)
	done.Add(2)
	go write(1, &start, &done)
	go write(2, &start, &done)
	done.Wait()
	fmt.Println("nobody noticed:", len(shared), "users")
}
