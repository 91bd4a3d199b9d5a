// SPDX-License-Identifier: MIT

// Maps in functions with type parameters that are optimised: which types a call is for is known
// to its caller alone. Before each stop the program says the type of the map m of the stop's caller.
package main

import "fmt"

type Name string
type Other string
type Key struct{ A, B int }

//go:noinline
func stop(n int) {
	if n < 0 {
		fmt.Println(n)
	}
}

//go:noinline
func say(m any) { fmt.Printf("m is %T\n", m) }

type Table[K comparable, V any] struct {
	m map[K]V
}

//go:noinline
func (t *Table[K, V]) Put(k K, v V) {
	m := t.m
	m[k] = v
	stop(len(m))
}

//go:noinline
func Count[K comparable, V any](m map[K]V) int {
	stop(len(m))
	return len(m)
}

// Outer passes on what it has a dictionary of its own for.
//
//go:noinline
func Outer[K comparable, V any](m map[K]V) int {
	n := Count(m)
	stop(n)
	return n + len(m)
}

// Both calls it for a type of its own and for another of the same shape.
//
//go:noinline
func Both[K ~string](m map[K]int, others map[Other]int) int {
	return Count(others) + Count(m)
}

//go:noinline
func Later[K comparable, V any](m map[K]V) {
	defer Count(m)
}

// Kept has one instance alone.
//
//go:noinline
func Kept[K comparable, V any](m map[K]V) func() int {
	return func() int {
		stop(len(m))
		return len(m)
	}
}

// by is called by who does not know the types.
//
//go:noinline
func by[M any](f func(M) int, m M) int { return f(m) }

func main() {
	names, keys, others := map[Name]int{"x": 1}, map[Key]string{{1, 2}: "y"}, map[Other]int{"z": 3}
	for _, m := range []any{names, names, others, others, keys, keys} {
		say(m)
	}
	Outer(names)
	Outer(others)
	Outer(keys)
	Count(others)
	Count(names)
	Later(others)
	table := &Table[Other, Key]{map[Other]Key{}}
	table.Put("q", Key{3, 4})
	kept := Kept(keys)
	kept()
	by(Count[Name, int], names)
	by(Count[Other, int], others)
	Both(names, others)
}
