// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"os"
	"unsafe"
)

type (
	three   [3]byte
	five    [5]byte
	twelve  [3]uint32
	forty   [5]uint64
	hundred [100]byte
	large   [1000]byte
	huge    [5000]byte
	pair    struct{ A, B *int }
	named   struct {
		Name string
		N    int
	}
	five8 [5]*int
	mixed struct {
		Numbers [60]int
		Last    *int
	}
	many [80]*int
)

var sink any

// grow appends to full slices of 200 capacities.
func grow[T any](out *bufio.Writer, pointers int) {
	var zero T
	capacity := 0
	for i := 0; i < 200; i++ {
		s := make([]T, capacity)
		sink = s
		s = s[:capacity:capacity]
		grown := append(s, zero)
		sink = grown
		fmt.Fprintln(out, unsafe.Sizeof(zero), pointers, capacity, cap(grown))
		capacity += 1 + i/8*(i%7)
	}
}

// growths prints what append does to slices of all these types.
func growths() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	grow[byte](out, 0)
	grow[uint16](out, 0)
	grow[three](out, 0)
	grow[int32](out, 0)
	grow[five](out, 0)
	grow[int](out, 0)
	grow[twelve](out, 0)
	grow[complex128](out, 0)
	grow[point](out, 0)
	grow[forty](out, 0)
	grow[hundred](out, 0)
	grow[large](out, 0)
	grow[huge](out, 0)
	grow[*int](out, 1)
	grow[string](out, 1)
	grow[pair](out, 1)
	grow[named](out, 1)
	grow[[]int](out, 1)
	grow[five8](out, 1)
	grow[mixed](out, 1)
	grow[many](out, 1)
}
