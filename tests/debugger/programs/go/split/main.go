// SPDX-License-Identifier: MIT

// split has maps of every kind of key and element, for groups that keep their keys apart from
// their elements (GOEXPERIMENT=mapsplitgroup).
package main

import "runtime"

type point struct {
	X, Y int16
	Name string
}

var (
	Funcs  map[string]func(int) int
	Bytes  map[[3]byte]bool
	Set    map[string]struct{}
	Points map[point]point
	Wide   map[int8][40]int64
	Big    map[[20]uint64]int32
	Any    map[any]any
	Many   map[int32]string
	Nested map[string]map[int]bool
	Nil    map[uint16]uint8
)

type holder struct {
	inner map[uint64]uint8
}

var Held *holder

//go:noinline
func checkpoint() { runtime.KeepAlive(Many) }

func twice(n int) int { return 2 * n }

func main() {
	Funcs = map[string]func(int) int{"nil": nil, "twice": twice}
	Bytes = map[[3]byte]bool{{1, 2, 3}: true, {4, 5, 6}: false}
	Set = map[string]struct{}{"a": {}, "b": {}}
	Points = map[point]point{{1, -2, "one"}: {3, 4, "two"}}
	Wide = map[int8][40]int64{-5: {39: 7}}
	Big = map[[20]uint64]int32{{19: 9}: -3}
	Any = map[any]any{int8(1): "text", "k": 2.5, point{7, 8, "p"}: nil}
	Many = map[int32]string{}
	for n := int32(0); n < 3000; n++ {
		Many[n] = "value"
	}
	for n := int32(0); n < 3000; n += 3 {
		delete(Many, n)
	}
	Nested = map[string]map[int]bool{"in": {1: true}}
	Held = &holder{map[uint64]uint8{1 << 40: 200}}
	checkpoint()
	println(len(Funcs), len(Many), len(Nil))
}
