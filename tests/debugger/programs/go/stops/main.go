// SPDX-License-Identifier: MIT

// Programs to stop in: maps that grow, migrate, are churned and cleared, and
// the program's own word on how often.
//
//	stops [--entries N [--few]]
//	                       several maps, one after the other and two at a time;
//	                       then a line of JSON for each: how often it grew, how
//	                       many old buckets were evacuated, ... and a checksum
//	                       of all that it holds; with --few, the last two, whose
//	                       sizes are their own, hold an eighth
//	stops --threads        four goroutines fill a map of their own each
//	stops --operations N   N writes to one map, then "finished" and a checksum
//	                       of all that it holds
//
// The counts come from each map's header (runtime/map.go, Go 1.17 to 1.23),
// looked at after every operation.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"unsafe"
)

type hmap struct {
	count      int
	flags      uint8
	B          uint8
	noverflow  uint16
	hash0      uint32
	buckets    unsafe.Pointer
	oldbuckets unsafe.Pointer
	nevacuate  uintptr
	extra      unsafe.Pointer
}

const sameSizeGrow = 8

type point struct{ x, y int32 }

type big struct {
	first uint64
	rest  [24]uint64 // over 128 bytes: stored indirectly
}

// begin is where a debugger stops, with the map about to be filled.
//
//go:noinline
func begin(map_ unsafe.Pointer) { sink = map_ }

//go:noinline
func finish() { sink = nil }

var sink unsafe.Pointer

// observed is a map and what its header showed.
type observed[K comparable, V any] struct {
	name                                                string
	m                                                   map[K]V
	bucketsize                                          uintptr
	old                                                 unsafe.Pointer
	b, oldB                                             uint8
	doublings, sameSize, evacuated, done, abandoned, cl uint64
}

func (o *observed[K, V]) header() *hmap { return *(**hmap)(unsafe.Pointer(&o.m)) }

func watch[K comparable, V any](name string, m map[K]V, bucketsize uintptr) *observed[K, V] {
	o := &observed[K, V]{name: name, m: m, bucketsize: bucketsize}
	begin(unsafe.Pointer(o.header()))
	return o
}

func (o *observed[K, V]) insert(key K, value V) {
	o.m[key] = value
	o.look()
}

func (o *observed[K, V]) erase(key K) {
	delete(o.m, key)
	o.look()
}

func (o *observed[K, V]) clear() {
	h := o.header()
	if h.oldbuckets != nil {
		o.evacuated += o.heads()
		o.abandoned++
	}
	o.cl++
	o.empty()
	o.old, o.b = nil, h.B
}

// heads counts the old buckets of the growth in progress that are evacuated.
func (o *observed[K, V]) heads() (n uint64) {
	h := o.header()
	count := uintptr(1) << h.B
	if h.flags&sameSizeGrow == 0 {
		count /= 2
	}
	for i := uintptr(0); i < count; i++ {
		if top := *(*uint8)(unsafe.Add(h.oldbuckets, i*o.bucketsize)); top >= 2 && top < 5 {
			n++
		}
	}
	return n
}

func (o *observed[K, V]) look() {
	h := o.header()
	if o.old != nil && h.oldbuckets != o.old {
		o.done++
		o.evacuated += 1 << o.oldB
	}
	started := h.oldbuckets != nil && h.oldbuckets != o.old
	if h.B != o.b {
		o.doublings++
		if !started { // begun and ended in one operation
			o.done++
			o.evacuated += 1 << o.b
		}
	} else if started {
		o.sameSize++
	}
	if started {
		o.oldB = o.b
	}
	o.old, o.b = h.oldbuckets, h.B
}

func (o *observed[K, V]) report() {
	h := o.header()
	if h.oldbuckets != nil {
		o.evacuated += o.heads()
	}
	sum := uint64(0)
	for key, value := range o.m {
		sum += mix(digest(key) ^ digest(value)<<1)
	}
	fmt.Printf(`{"name": %q, "address": "%p", "count": %d, "double": %d, "same_size": %d, `+
		`"evacuate": %d, "done": %d, "abandoned": %d, "clear": %d, "migrating": %v, "checksum": %d}`+"\n",
		o.name, h, h.count, o.doublings, o.sameSize, o.evacuated, o.done, o.abandoned, o.cl,
		h.oldbuckets != nil, sum)
}

// digest returns a number for a key or a value, for checksums.
func digest(x any) (sum uint64) {
	for _, b := range []byte(fmt.Sprint(x)) {
		sum = mix(sum ^ uint64(b))
	}
	return sum
}

func text(i int) string { return "key-" + strconv.Itoa(i) }

func counts(entries, kept, emptied int) {
	numbers := watch("numbers", make(map[uint64]uint64), 144)
	for i := 0; i < entries; i++ {
		numbers.insert(uint64(i), uint64(i))
	}
	texts := watch("texts", make(map[string]int), 208)
	points := watch("points", make(map[point]int32), 112)
	for i := 0; i < entries; i++ { // two at a time
		texts.insert(text(i), 1)
		points.insert(point{int32(i), -1}, 2)
	}
	bigs := watch("bigs", make(map[uint64]big), 144)
	for i := 0; i < entries; i++ {
		value := big{first: uint64(i)}
		value.rest[23] = ^uint64(i)
		bigs.insert(uint64(i), value)
	}
	// Entries come and go at a load that is nearly too high: overflow buckets
	// pile up until the map grows at the same size.
	churned := watch("churned", make(map[uint64]uint64), 144)
	for i := 0; i < kept; i++ {
		churned.insert(uint64(i), uint64(i))
	}
	for i := kept; i < kept+entries; i++ {
		churned.erase(uint64(i - len(churned.m)))
		churned.insert(uint64(i), 0)
	}
	cleared := watch("cleared", make(map[string]int), 208)
	for round := 0; round < 3; round++ {
		for i := 0; i < emptied<<round; i++ {
			cleared.insert(text(i), 1)
		}
		cleared.clear() // in the middle of a doubling
	}
	finish()
	numbers.report()
	texts.report()
	points.report()
	bigs.report()
	churned.report()
	cleared.report()
}

func threads() {
	var all sync.WaitGroup
	for t := 0; t < 4; t++ {
		all.Add(1)
		go func() {
			defer all.Done()
			own := make(map[uint64]uint64)
			begin(*(*unsafe.Pointer)(unsafe.Pointer(&own)))
			for i := uint64(0); i < 20000; i++ {
				own[i] = i
			}
		}()
	}
	all.Wait()
	finish()
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func operations(n uint64) {
	m := make(map[uint64]uint64)
	begin(*(*unsafe.Pointer)(unsafe.Pointer(&m)))
	for i := uint64(0); i < n; i++ {
		key := mix(i) % 50000
		if i%5 == 4 {
			delete(m, key)
		} else {
			m[key] += i
		}
		if i%200000 == 149999 {
			if i%400000 < 200000 {
				for k := range m {
					delete(m, k)
				}
			} else {
				m = make(map[uint64]uint64)
			}
		}
	}
	sum := uint64(0)
	for key, value := range m {
		sum += mix(key ^ mix(value))
	}
	finish()
	fmt.Println("finished", sum)
}

func main() {
	mode, n := "--entries", 10000
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	switch mode {
	case "--entries":
		if len(os.Args) > 3 && os.Args[3] == "--few" {
			counts(n, 100, 54)
		} else {
			counts(n, 800, 450)
		}
	case "--threads":
		threads()
	case "--operations":
		operations(uint64(n))
	default:
		fmt.Fprintln(os.Stderr, "usage: stops [--entries N [--few] | --threads | --operations N]")
		os.Exit(2)
	}
}
