// SPDX-License-Identifier: MIT

// Two large maps, both in the middle of a doubling, for bench/inspect: a growth
// starts when the load passes 6.5 entries a bucket, and each later insert moves
// two old buckets.
//
//	inspect_big_go [NUMBERS [TEXTS]]
package main

import (
	"fmt"
	"os"
	"strconv"
)

var (
	numbers = map[uint64]uint64{}
	texts   = map[string]uint64{}
)

//go:noinline
func checkpoint() {}

func argument(i, otherwise int) int {
	if i < len(os.Args) {
		if n, err := strconv.Atoi(os.Args[i]); err == nil {
			return n
		}
	}
	return otherwise
}

func main() {
	numberCount, textCount := argument(1, 14_000_000), argument(2, 3_500_000)
	for i := 0; i < numberCount; i++ {
		numbers[uint64(i)*0x9e3779b97f4a7c15] = uint64(i)
	}
	for i := 0; i < textCount; i++ {
		texts[fmt.Sprintf("customer-%011d", i)] = uint64(i)
	}
	checkpoint()
	fmt.Println(len(numbers), len(texts))
}
