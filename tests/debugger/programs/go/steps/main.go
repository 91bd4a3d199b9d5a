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
	"unsafe"

	"programs/truth"
)

// Point is a key that has no fast variant of mapassign.
type Point struct{ X, Y int64 }

// Label is such a key with a pointer in it: it is cleared when it is deleted.
type Label struct {
	Number int
	Name   string
}

// Wide is a key and an element that is too large for a bucket: it is stored indirectly.
type Wide struct {
	ID   int64
	Rest [16]int64
}

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

// kind is one type of map, and the functions of this file that work on it: their calls are
// compiled to the variant of mapassign and mapdelete that the type has.
type kind[K comparable, V any] struct {
	name   string
	key    func(int) K
	value  func(int) V
	insert func(map[K]V, K, V)
	remove func(map[K]V, K)
	clear  func(map[K]V)
}

// subject is a map of some kind for one operation.
type subject[K comparable, V any] struct {
	kind[K, V]
	m      *map[K]V
	record *truth.Map
	next   int // the first key that was not put
}

// bucketSize is that of a bucket in bytes (MapBucketType in cmd/compile/internal/reflectdata).
func (s *subject[K, V]) bucketSize() uintptr {
	slot := func(size uintptr) uintptr {
		if size > 128 {
			return 8
		}
		return size
	}
	var k K
	var v V
	return 8 + 8*slot(unsafe.Sizeof(k)) + 8*slot(unsafe.Sizeof(v)) + 8
}

// put puts the next key.
func (s *subject[K, V]) put() {
	s.record.Put(s.key(s.next), s.value(s.next))
	s.next++
}

// fill puts keys until done.
func (s *subject[K, V]) fill(done func(*truth.Header) bool) *subject[K, V] {
	for {
		if h := s.record.Header(); h != nil && done(h) {
			return s
		}
		s.put()
	}
}

// churn deletes the oldest key and puts a new one until done.
func (s *subject[K, V]) churn(size int, done func(*truth.Header) bool) *subject[K, V] {
	s.fill(func(h *truth.Header) bool { return h.Count == size })
	for {
		s.record.Delete(s.key(s.next - size))
		if done(s.record.Header()) {
			return s
		}
		s.put()
	}
}

// ranged ranges over the map once: evacuated buckets are not cleared then.
func (s *subject[K, V]) ranged() *subject[K, V] {
	for range *s.m {
		break
	}
	return s
}

// twice writes the last key once more, with the zero value: its old bucket is moved then, and
// the old cell, where it is kept, has another value than the new one.
func (s *subject[K, V]) twice() *subject[K, V] {
	var zero V
	s.record.Put(s.key(s.next-1), zero)
	return s
}

func (s *subject[K, V]) add(after, run func()) {
	operations = append(operations, operation{s.record.Name(), s.record, after, run})
}

func (s *subject[K, V]) inserts() {
	key, value := s.key(s.next), s.value(s.next)
	s.add(func() { s.record.Note(key, value) }, func() { s.insert(*s.m, key, value) })
}

func (s *subject[K, V]) overwrites() {
	key, value := s.key(s.next-1), s.value(s.next)
	s.add(func() { s.record.Note(key, value) }, func() { s.insert(*s.m, key, value) })
}

func (s *subject[K, V]) removes() {
	key := s.key(s.next - 1)
	s.add(func() { s.record.Forget(key) }, func() { s.remove(*s.m, key) })
}

func (s *subject[K, V]) clears() {
	s.add(s.record.Clear, func() { s.clear(*s.m) })
}

func text(i int) string { return "key " + strconv.Itoa(i) }

// quiet says that the map is not growing and that one more entry will not
// make it grow for its load.
func quiet(h *truth.Header) bool {
	return h.Oldbuckets == nil && (h.Count < 8 || uint64(h.Count+1) <= 6*(uint64(1)<<h.B))
}

func few(h *truth.Header) bool { return h.Count == 5 }

func one(h *truth.Header) bool { return h.Count == 1 }

func some(h *truth.Header) bool { return h.Count == 20 }

func full(h *truth.Header) bool { return h.Count == 8 && h.B == 0 }

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

// chained says that the old bucket to be moved next has an overflow bucket.
func (s *subject[K, V]) chained(h *truth.Header) bool {
	if h.Oldbuckets == nil || h.B < 4 {
		return false
	}
	bucket := unsafe.Add(h.Oldbuckets, h.Nevacuate*s.bucketSize())
	overflow := *(*unsafe.Pointer)(unsafe.Add(bucket, s.bucketSize()-8))
	top := *(*uint8)(bucket)
	return overflow != nil && (top < 2 || top > 4)
}

// prepare prepares the operations of a kind of map.
//
// all: those too that differ only in how many entries there are
func prepare[K comparable, V any](k kind[K, V], all bool) {
	on := func(name string) *subject[K, V] {
		m := new(map[K]V)
		return &subject[K, V]{k, m, truth.Of(k.name+": "+name, m), 0}
	}
	on("insert").fill(few).inserts()
	on("insert starts a doubling").fill(full).inserts()
	on("insert evacuates").fill(growing).inserts()
	chain := on("insert evacuates a chain")
	chain.fill(chain.chained).inserts()
	on("delete").fill(some).removes()
	on("delete evacuates").fill(growing).removes()
	on("overwrite evacuates at the same size").churn(45, growingSameSize).overwrites()
	on("delete from a bucket that is moved already").fill(growing).twice().removes()
	on("clear while growing").fill(growing).clears()
	if !all {
		return
	}
	on("insert ends a doubling").fill(nearlyDone).inserts()
	on("insert starts a same-size growth").churn(45, tooManyOverflowBuckets).inserts()
	on("insert evacuates at the same size").churn(45, growingSameSize).inserts()
	on("insert evacuates what was ranged over").fill(full).ranged().fill(growing).inserts()
	on("overwrite").fill(few).overwrites()
	on("overwrite evacuates").fill(growing).overwrites()
	on("overwrite in a bucket that is moved already").fill(growing).twice().overwrites()
	on("delete while growing at the same size").churn(45, growingSameSize).removes()
	on("delete the only one").fill(one).removes()
	on("clear").fill(some).clears()
	on("clear while growing at the same size").churn(45, growingSameSize).clears()
}

// pointed are what pointers point at that are keys.
var pointed [1 << 16]int

// wideLast is the last word of Wide, by which a copy that has not ended is told.
const wideLast = 15

func prepareAll() {
	whole := func(i int) int { return i }
	number := func(i int) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 }
	small := func(i int) uint32 { return uint32(i+1) * 0x9e3779b1 }
	point := func(i int) Point { return Point{int64(i), -int64(i)} }
	pointer := func(i int) *int { return &pointed[i] }
	wide := func(i int) Wide { return Wide{ID: int64(i), Rest: [16]int64{wideLast: ^int64(i)}} }
	label := func(i int) Label { return Label{i, text(i)} }

	texts := kind[string, int]{"text", text, whole, textInsert, textDelete, textClear}
	numbers := kind[uint64, int]{"numbers", number, whole, numberInsert, numberDelete, numberClear}
	smalls := kind[uint32, string]{"small", small, text, smallInsert, smallDelete, smallClear}
	points := kind[Point, int]{"points", point, whole, pointInsert, pointDelete, pointClear}
	pointers := kind[*int, int]{"pointers", pointer, whole, pointerInsert, pointerDelete, pointerClear}
	wides := kind[Wide, Wide]{"wide", wide, wide, wideInsert, wideDelete, wideClear}
	labels := kind[Label, string]{"labels", label, text, labelInsert, labelDelete, labelClear}
	if isSwiss() {
		prepareSwiss(texts, true, true)
		prepareSwiss(numbers, true, true)
		prepareSwiss(smalls, true, false)
		prepareSwiss(points, true, false)
		prepareSwiss(pointers, true, false)
		prepareSwiss(wides, false, false)
		prepareSwiss(labels, true, false)
		return
	}
	prepare(texts, true) // buckets hold pointers: evacuated ones are cleared
	// and here they do not: they keep stale entries, and overflow buckets are listed in mapextra
	prepare(numbers, true)
	prepare(smalls, false)
	prepare(points, false) // the general mapassign
	prepare(pointers, false)
	prepare(wides, false)
	prepare(labels, false)
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
func numberClear(m map[uint64]int) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

//go:noinline
func smallInsert(m map[uint32]string, key uint32, value string) { m[key] = value }

//go:noinline
func smallDelete(m map[uint32]string, key uint32) { delete(m, key) }

//go:noinline
func smallClear(m map[uint32]string) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

//go:noinline
func pointInsert(m map[Point]int, key Point, value int) { m[key] = value }

//go:noinline
func pointDelete(m map[Point]int, key Point) { delete(m, key) }

//go:noinline
func pointClear(m map[Point]int) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

//go:noinline
func pointerInsert(m map[*int]int, key *int, value int) { m[key] = value }

//go:noinline
func pointerDelete(m map[*int]int, key *int) { delete(m, key) }

//go:noinline
func pointerClear(m map[*int]int) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

//go:noinline
func wideInsert(m map[Wide]Wide, key Wide, value Wide) { m[key] = value }

//go:noinline
func wideDelete(m map[Wide]Wide, key Wide) { delete(m, key) }

//go:noinline
func wideClear(m map[Wide]Wide) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

//go:noinline
func labelInsert(m map[Label]string, key Label, value string) { m[key] = value }

//go:noinline
func labelDelete(m map[Label]string, key Label) { delete(m, key) }

//go:noinline
func labelClear(m map[Label]string) {
	for key := range m { // the compiler makes it a call of runtime.mapclear
		delete(m, key)
	}
}

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
	prepareAll()
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
	for _, o := range operations { // count and used are the first words of both kinds of map
		if o.record.Header().Count != o.record.Len() {
			panic(fmt.Sprint(o.name, ": ", o.record.Header().Count, " entries, not ", o.record.Len()))
		}
	}
	fmt.Println("done", done)
}
