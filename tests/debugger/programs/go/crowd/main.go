// SPDX-License-Identifier: MIT

// A crowd: four goroutines that fill maps, delete from them and begin anew, all
// the time, and others that come on threads of their own, fill one and go. Runs
// until it is killed, or for the twenty minutes after which a forgotten one ends.
package main

import (
	"runtime"
	"strconv"
	"time"
)

//go:noinline
func crowding() {}

//go:noinline
func fill(seed uint64) {
	numbers, texts := make(map[uint64]uint64), make(map[string]int)
	for i := uint64(0); i < 600; i++ {
		numbers[i*seed] = i
		texts["key "+strconv.FormatUint(i^seed, 10)] = int(i)
		if i%5 == 0 {
			delete(numbers, i/2*seed)
		}
	}
}

func main() {
	end := time.Now().Add(20 * time.Minute)
	crowding()
	for seed := uint64(1); seed <= 4; seed++ {
		seed := seed
		go func() {
			runtime.LockOSThread()
			for {
				fill(seed)
			}
		}()
	}
	for time.Now().Before(end) {
		done := make(chan bool)
		go func() {
			runtime.LockOSThread() // and ends with its thread
			fill(77)
			done <- true
		}()
		<-done
	}
}
