// SPDX-License-Identifier: MIT

// A program that holds reflect.Values: the word of a type and a pointer beside it, which leads to
// where the value is, and not to what the type says of an interface.
package main

import (
	"reflect"
	"runtime"
)

// large leads to maps, and has a slice where place has words that are no pointers.
type large struct {
	first uintptr
	rows  []*large
	more  [4]uintptr
	names map[string]int
}

type place struct {
	it                    *large
	nowhere, length, room uintptr
}

var kept []*reflect.Value

func main() {
	for number := 0; number < 40; number++ {
		it := &large{names: map[string]int{"a": 1, "b": 2}}
		where := &place{it, 0x5ead00000000, 1 << 20, 1 << 20}
		value := reflect.ValueOf(where).Elem().Field(0)
		kept = append(kept, &value)
	}
	runtime.GC()
	runtime.Breakpoint()
	runtime.KeepAlive(kept)
}
