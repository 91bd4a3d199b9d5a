// SPDX-License-Identifier: MIT

// Swiss maps that grow from nothing, are churned and cleared, with the
// program's own word on how often: tables N fills each map with N entries, and
// ends with a line of JSON for each. The first four are filled one after the
// other, the last two at the same time.
//
// The counts come from each map's header, directory and tables
// (internal/runtime/maps of Go 1.24 to 1.27), looked at after every operation.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"unsafe"
)

type swissMap struct {
	used        uint64
	seed        uintptr
	dirPtr      unsafe.Pointer
	dirLen      int
	globalDepth uint8
}

type table struct {
	used, capacity, growthLeft uint16
	localDepth                 uint8
	index                      int
}

type point struct{ x, y int32 }

type big struct {
	first uint64
	rest  [24]uint64 // over 128 bytes: stored indirectly
}

// begin is where a debugger stops, with the map about to be filled.
//
//go:noinline
func begin(m unsafe.Pointer) { sink = m }

var sink unsafe.Pointer

// observed is a map and what its tables showed.
type observed[K comparable, V any] struct {
	name                       string
	m                          map[K]V
	tables                     int
	slots                      uint64
	toTable, double, split     uint64
	assigned, deleted, cleared uint64
}

func (o *observed[K, V]) header() *swissMap { return *(**swissMap)(unsafe.Pointer(&o.m)) }

func watch[K comparable, V any](name string, m map[K]V) *observed[K, V] {
	o := &observed[K, V]{name: name, m: m}
	begin(unsafe.Pointer(o.header()))
	return o
}

// look counts what one operation has changed: it splits a table, or doubles it.
func (o *observed[K, V]) look() {
	h := o.header()
	tables, slots := 0, uint64(0)
	for i := 0; i < h.dirLen; i++ {
		t := *(**table)(unsafe.Add(h.dirPtr, i*8))
		if t.index == i {
			tables++
			slots += uint64(t.capacity)
		}
	}
	switch {
	case tables > o.tables && o.tables == 0:
		o.toTable++
	case tables > o.tables:
		o.split += uint64(tables - o.tables)
	case slots > o.slots:
		o.double++
	}
	o.tables, o.slots = tables, slots
}

func (o *observed[K, V]) insert(key K, value V) {
	o.m[key] = value
	o.assigned++
	o.look()
}

func (o *observed[K, V]) erase(key K) {
	if _, there := o.m[key]; there {
		o.deleted++
	}
	delete(o.m, key)
	o.look()
}

func (o *observed[K, V]) clear() {
	o.cleared++
	for k := range o.m { // compiled to mapclear
		delete(o.m, k)
	}
	o.look()
}

func (o *observed[K, V]) report() {
	h := o.header()
	fmt.Printf(`{"name": %q, "address": "%p", "count": %d, "tables": %d, "to_table": %d, "double": %d, `+
		`"split": %d, "assign": %d, "delete": %d, "clear": %d}`+"\n",
		o.name, h, h.used, o.tables, o.toTable, o.double, o.split, o.assigned, o.deleted, o.cleared)
}

func churn[K comparable, V any](o *observed[K, V], n int, key func(int) K, value func(int) V) {
	for i := 0; i < n; i++ {
		o.insert(key(i), value(i))
		if i%4 == 3 {
			o.erase(key(i - 2))
			o.erase(key(-1 - i)) // absent
		}
	}
}

func main() {
	n := 3000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	integer := func(i int) uint64 { return uint64(i) }
	numbers := watch("numbers", make(map[uint64]uint64))
	churn(numbers, n, integer, integer)
	texts := watch("texts", make(map[string]int))
	churn(texts, n, func(i int) string { return fmt.Sprintf("key-%06d", i) }, func(i int) int { return i })
	points := watch("points", make(map[point]string))
	churn(points, n, func(i int) point { return point{int32(i), -int32(i)} }, strconv.Itoa)
	bigs := watch("bigs", make(map[big]big))
	churn(bigs, n/8, func(i int) big { return big{first: uint64(i)} }, func(i int) big { return big{first: uint64(i)} })

	left := watch("left", make(map[int32]bool))
	right := watch("right", make(map[uint64]*int))
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		defer both.Done()
		for round := 0; round < 3; round++ {
			churn(left, n/2, func(i int) int32 { return int32(i) }, func(int) bool { return true })
			left.clear()
		}
	}()
	go func() {
		defer both.Done()
		churn(right, n, integer, func(int) *int { return nil })
	}()
	both.Wait()

	numbers.report()
	texts.report()
	points.report()
	bigs.report()
	left.report()
	right.report()
}
