// SPDX-License-Identifier: MIT

// steps prepares one Go map for each operation below, writes down what
// each map holds before and after, and then does the operations one by one,
// for a debugger that steps through them by instructions.
//
//	steps --truth FILE
//
// The record has, for each operation, one line for before and one for after
// (package truth), named FUNCTION:before and FUNCTION:after.
package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"

	"programs/truth"
)

// Point is a key that has no fast variant of mapassign.
type Point struct{ X, Y int64 }

// operation is one function to step through, on a map of its own.
type operation struct {
	name   string
	record *truth.Map
	after  func() // brings the record to what holds after the operation
	run    func()
}

var (
	operations []operation
	lines      strings.Builder
)

// add prepares an operation: the map and its record are as before it.
func add(name string, record *truth.Map, after, run func()) {
	operations = append(operations, operation{name, record, after, run})
}

func text(i int) string { return "key " + strconv.Itoa(i) }

// quiet says that the map is not growing and that one more entry will not
// make it grow for its load.
func quiet(h *truth.Header) bool {
	return h.Oldbuckets == nil && (h.Count < 8 || uint64(h.Count+1) <= 13*(uint64(1)<<h.B/2))
}

// fill puts entries key(0), key(1), ... until done. It returns the number of
// the first key that was not put.
func fill(t *truth.Map, key func(int) any, done func(*truth.Header) bool) int {
	for i := 0; ; i++ {
		if h := t.Header(); h != nil && done(h) {
			return i
		}
		t.Put(key(i), i)
	}
}

// churn deletes the oldest key and puts a new one until done.
func churn(t *truth.Map, size int, key func(int) any, done func(*truth.Header) bool) int {
	next := fill(t, key, func(h *truth.Header) bool { return h.Count == size })
	for {
		t.Delete(key(next - size))
		if done(t.Header()) {
			return next
		}
		t.Put(key(next), next)
		next++
	}
}

func tooManyOverflowBuckets(h *truth.Header) bool {
	return quiet(h) && h.Noverflow >= 1<<h.B
}

func growing(h *truth.Header) bool { return h.Oldbuckets != nil && h.B >= 4 && h.Nevacuate >= 2 }

func growingSameSize(h *truth.Header) bool { return h.Oldbuckets != nil && h.Flags&8 != 0 }

// nearlyDone says that the last old bucket alone is left; a growth can end
// without passing there, then the next one gets its chance.
func nearlyDone(h *truth.Header) bool {
	return h.Oldbuckets != nil && h.B >= 4 && h.Nevacuate == 1<<(h.B-1)-1
}

func full(h *truth.Header) bool { return h.Count == 8 && h.B == 0 }

// prepareText prepares the operations on maps with string keys, whose buckets
// hold pointers: evacuated buckets are cleared.
func prepareText() {
	key := func(i int) any { return text(i) }
	insert := func(name string, prepare func(*truth.Map) int) {
		m := new(map[string]int)
		record := truth.Of(name, m)
		next := prepare(record)
		add(name, record, func() { record.Note(text(next), next) }, func() { textInsert(*m, text(next), next) })
	}
	remove := func(name string, prepare func(*truth.Map) int) {
		m := new(map[string]int)
		record := truth.Of(name, m)
		next := prepare(record)
		add(name, record, func() { record.Forget(text(next - 1)) }, func() { textDelete(*m, text(next-1)) })
	}
	overwrite := func(name string, prepare func(*truth.Map) int) {
		m := new(map[string]int)
		record := truth.Of(name, m)
		next := prepare(record)
		add(name, record, func() { record.Note(text(next-1), -1) }, func() { textInsert(*m, text(next-1), -1) })
	}
	until := func(done func(*truth.Header) bool) func(*truth.Map) int {
		return func(t *truth.Map) int { return fill(t, key, done) }
	}
	churned := func(done func(*truth.Header) bool) func(*truth.Map) int {
		return func(t *truth.Map) int { return churn(t, 50, key, done) }
	}
	insert("text: insert", until(func(h *truth.Header) bool { return h.Count == 5 }))
	insert("text: insert starts a doubling", until(full))
	insert("text: insert evacuates", until(growing))
	insert("text: insert ends a doubling", until(nearlyDone))
	insert("text: insert starts a same-size growth", churned(tooManyOverflowBuckets))
	overwrite("text: overwrite evacuates", until(growing))
	overwrite("text: overwrite evacuates at the same size", churned(growingSameSize))
	remove("text: delete", until(func(h *truth.Header) bool { return h.Count == 20 }))
	remove("text: delete evacuates", until(growing))
	m := new(map[string]int)
	record := truth.Of("text: clear while growing", m)
	fill(record, key, growing)
	add("text: clear while growing", record, record.Clear, func() { textClear(*m) })
}

// prepareNumbers prepares the operations on maps without pointers: evacuated buckets
// keep stale entries, and overflow buckets are listed in mapextra.
func prepareNumbers() {
	number := func(i int) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 }
	key := func(i int) any { return number(i) }
	insert := func(name string, prepare func(*truth.Map) int) {
		m := new(map[uint64]int)
		record := truth.Of(name, m)
		next := prepare(record)
		add(name, record, func() { record.Note(number(next), next) }, func() { numberInsert(*m, number(next), next) })
	}
	insert("numbers: insert", func(t *truth.Map) int {
		return fill(t, key, func(h *truth.Header) bool { return h.Count == 5 })
	})
	insert("numbers: insert starts a doubling", func(t *truth.Map) int { return fill(t, key, full) })
	insert("numbers: insert evacuates", func(t *truth.Map) int { return fill(t, key, growing) })
	insert("numbers: insert starts a same-size growth", func(t *truth.Map) int {
		return churn(t, 50, key, tooManyOverflowBuckets)
	})
	insert("numbers: insert evacuates at the same size", func(t *truth.Map) int {
		return churn(t, 50, key, growingSameSize)
	})
	m := new(map[uint64]int)
	record := truth.Of("numbers: delete evacuates", m)
	next := fill(record, key, growing)
	add("numbers: delete evacuates", record, func() { record.Forget(number(next - 1)) },
		func() { numberDelete(*m, number(next-1)) })
}

// preparePoints prepares the operations on maps that use the general
// mapassign.
func preparePoints() {
	point := func(i int) Point { return Point{int64(i), -int64(i)} }
	key := func(i int) any { return point(i) }
	insert := func(name string, done func(*truth.Header) bool) {
		m := new(map[Point]int)
		record := truth.Of(name, m)
		next := fill(record, key, done)
		add(name, record, func() { record.Note(point(next), next) }, func() { pointInsert(*m, point(next), next) })
	}
	insert("points: insert starts a doubling", full)
	insert("points: insert evacuates", growing)
}

//go:noinline
func textInsert(m map[string]int, key string, value int) { m[key] = value }

//go:noinline
func textDelete(m map[string]int, key string) { delete(m, key) }

//go:noinline
func textClear(m map[string]int) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

//go:noinline
func numberInsert(m map[uint64]int, key uint64, value int) { m[key] = value }

//go:noinline
func numberDelete(m map[uint64]int, key uint64) { delete(m, key) }

//go:noinline
func pointInsert(m map[Point]int, key Point, value int) { m[key] = value }

var done int

// begin and end stand around one operation, by the number of its pair of
// lines in the record.
//
//go:noinline
func begin(number int) { done = number }

//go:noinline
func end(number int) { done = number + 1 }

func main() {
	path := flag.String("truth", "", "write what the maps hold to this file")
	flag.Parse()
	prepareText()
	prepareNumbers()
	preparePoints()
	for _, o := range operations {
		lines.WriteString(o.record.LineAs(o.name + ":before"))
		o.after()
		lines.WriteString(o.record.LineAs(o.name + ":after"))
	}
	truth.Write(*path, lines.String())
	for number, o := range operations {
		begin(number)
		o.run()
		end(number)
	}
	for _, o := range operations {
		if o.record.Header().Count != o.record.Len() {
			panic(fmt.Sprint(o.name, ": ", o.record.Header().Count, " entries, not ", o.record.Len()))
		}
	}
	fmt.Println("done", done)
}
