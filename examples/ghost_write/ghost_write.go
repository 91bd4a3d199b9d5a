// SPDX-License-Identifier: MIT

// ghost_write: two goroutines write one map without a lock. Go's runtime
// notices when one of them finds the map's hashWriting flag set by the other,
// and ends the program: "fatal error: concurrent map writes".
//
// The second map, guarded, is written by both goroutines too, under a mutex:
// nothing is wrong with it.
package main

import (
	"fmt"
	"sync"
)

const writes = 50000000

var (
	shared  = make(map[int]int)
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
		shared[i%1000000] = id // no lock: the bug
	}
}

func main() {
	var start, done sync.WaitGroup
	start.Add(2)
	done.Add(2)
	go write(1, &start, &done)
	go write(2, &start, &done)
	done.Wait()
	fmt.Println("nobody noticed:", len(shared), "users")
}
