// SPDX-License-Identifier: MIT
//
// Small maps of large buckets that grow to the same size: moving a bucket needs
// an overflow bucket, for which the allocator needs new pages, again and again.
package main

import "fmt"

type wide [120]byte

var current map[uint64]wide

//go:noinline
func begin() {}

func main() {
	begin()
	kept := make([]map[uint64]wide, 0, 4096)
	total := 0
	for i := 0; i < 3000; i++ {
		current = map[uint64]wide{}
		kept = append(kept, current)
		// full, then other keys for those that were there: chains get long
		for k := uint64(0); k < 400; k++ {
			current[k] = wide{byte(k)}
			if k >= 50 {
				delete(current, k-50)
			}
		}
		total += len(current)
	}
	fmt.Println(len(kept), total)
}
