// SPDX-License-Identifier: MIT
//
// A service whose maps are reached in every way that Go has; it writes down
// each one's address, type, count and where it hangs:
//
//	service [--trap] [--empty N] [--other MIB] [PARTS [ACCOUNT]]
//
// --trap stops by a breakpoint instruction, for builds whose functions have no
// names for a debugger. --empty has a map of N entries, which are deleted, and
// --other so much memory in objects that are no maps.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"unsafe"

	"programs/service/depot"
)

type metrics map[string]float64

var (
	hits    = map[string]int{}
	gauges  = metrics{}
	central *depot.Depot
	raw     unsafe.Pointer
	shelves struct {
		inner struct{ byRow map[int64]string }
		table [4]map[string]bool
	}
	count    func(string) int
	account  *bufio.Writer
	released chan struct{}
	texts    [][]byte
	rest     *filler
	emptied  map[uint64]uint64
	regrown  map[uint64]uint64
)

// A filler takes 128 bytes and leads on to others.
type filler struct {
	next *filler
	text []byte
	more [12]int64
}

// Where a debugger stops.
//
//go:noinline
func checkpoint(trap bool) {
	if trap {
		runtime.Breakpoint()
	}
}

// note writes a line of the account; a map has one for each owner.
func note(m interface{}, owner string) {
	v := reflect.ValueOf(m)
	if account != nil && !v.IsNil() {
		fmt.Fprintf(account, "%#x\t%d\t%s\t%s\n", v.Pointer(), v.Len(), v.Type(), owner)
	}
}

func counter() (func(string) int, map[string]uint16) {
	counts := map[string]uint16{}
	return func(key string) int {
		counts[key]++
		return len(counts)
	}, counts
}

//go:noinline
func worker(id int, ready chan<- func()) {
	local := map[int]*depot.Part{} // nothing else refers to it
	for i := 0; i < 20+id; i++ {
		local[i] = &depot.Part{Name: "local" + strconv.Itoa(i)}
	}
	ready <- func() { note(local, "worker") }
	<-released
	runtime.KeepAlive(local)
}

//go:noinline
func parked(id int, ready chan<- struct{}) {
	only := make(map[[2]uint16]string, 3)
	only[[2]uint16{uint16(id), 1}] = "only here"
	note(only, "parked")
	ready <- struct{}{}
	<-released
	fmt.Fprintln(os.Stderr, len(only))
}

func fill(d *depot.Depot, parts int) {
	for i := 0; i < parts; i++ {
		region := "region" + strconv.Itoa(i%7)
		part := &depot.Part{
			Name:  "part" + strconv.Itoa(i),
			Attrs: map[string]interface{}{"size": i, "colour": "red"},
		}
		if i%3 == 0 {
			part.Sizes[1] = map[int32]float32{int32(i): 1.5}
		}
		if i%1000 == 1 {
			part.Attrs["more"] = map[string][]byte{"payload": []byte(region)}
		}
		d.Bays[i%len(d.Bays)].Put(depot.Label{Region: region, Rack: i}, part)
		if i%50 == 0 {
			if d.Nested[region] == nil {
				d.Nested[region] = map[string]map[string]int{}
			}
			row := "row" + strconv.Itoa(i%11)
			if d.Nested[region][row] == nil {
				d.Nested[region][row] = map[string]int{}
			}
			d.Nested[region][row][strconv.Itoa(i)] = i
			d.Typed.Put(part.Name, *part)
			d.Stored[i] = region
			d.Stored[region] = map[bool]int{true: i}
			d.Sessions.Store("session"+strconv.Itoa(i), map[string]int{"visits": i})
			d.Flags()[uint32(i)] = true
		}
		hits[region]++
	}
	for i := 0; i < 10; i++ {
		d.List = &depot.Node{Next: d.List, Seen: map[uint64]bool{uint64(i): true}}
		d.List.Left = &depot.Node{Seen: map[uint64]bool{}}
		d.List.Left.Right = &depot.Node{Seen: map[uint64]bool{7: true, 8: true}}
	}
	d.Hooks["length"] = func(text string) int { return len(text) }
	d.Any = map[string]int64{"through": 1, "an interface": 2}
	d.Fixed[1] = map[int]string{1: "one"}
	for i := 0; i < 5; i++ {
		d.Queue <- map[string]int{"queued": i}
	}
	d.ByTag["a"] = append(d.ByTag["a"], "b")
	gauges["load"] = 0.5
	shelves.inner.byRow = map[int64]string{1: "first"}
	shelves.table[2] = map[string]bool{"there": true}
	hidden := map[uint8]complex128{1: 2i}
	raw = *(*unsafe.Pointer)(unsafe.Pointer(&hidden))
	note(hidden, "main.raw")
}

func listAll(d *depot.Depot) {
	for _, bay := range d.Bays {
		note(bay.Parts(), "main.central.Bays[].parts")
		note(bay.Visits, "main.central.Bays[].Visits")
		for _, part := range bay.Parts() {
			note(part.Attrs, "main.central.Bays[].parts[].Attrs")
			note(part.Sizes[1], "main.central.Bays[].parts[].Sizes[]")
			if more := part.Attrs["more"]; more != nil {
				note(more, "main.central.Bays[].parts[].Attrs[]")
			}
		}
	}
	note(d.Nested, "main.central.Nested")
	for _, middle := range d.Nested {
		note(middle, "main.central.Nested[]")
		for _, inner := range middle {
			note(inner, "main.central.Nested[][]")
		}
	}
	note(d.Typed.Entries(), "main.central.Typed.entries")
	for _, part := range d.Typed.Entries() { // these have two owners
		note(part.Attrs, "main.central.Typed.entries[].Attrs")
		note(part.Sizes[1], "main.central.Typed.entries[].Sizes[]")
	}
	note(d.Stored, "main.central.Stored")
	for _, value := range d.Stored {
		if reflect.ValueOf(value).Kind() == reflect.Map {
			note(value, "main.central.Stored[]")
		}
	}
	d.Sessions.Range(func(key, value interface{}) bool {
		note(value, "main.central.Sessions")
		return true
	})
	note(d.Flags(), "main.central.hidden.flags")
	for node := d.List; node != nil; node = node.Next {
		note(node.Seen, "main.central.List")
		note(node.Left.Seen, "main.central.List")
		note(node.Left.Right.Seen, "main.central.List")
	}
	note(d.Hooks, "main.central.Hooks")
	note(d.Any, "main.central.Any")
	note(d.Fixed[1], "main.central.Fixed[]")
	for i := len(d.Queue); i > 0; i-- {
		queued := <-d.Queue
		note(queued, "main.central.Queue[]")
		d.Queue <- queued
	}
	note(d.ByTag, "main.central.ByTag")
	note(hits, "main.hits")
	note(gauges, "main.gauges")
	note(shelves.inner.byRow, "main.shelves.inner.byRow")
	note(shelves.table[2], "main.shelves.table[]")
}

// heapBytes is what the process itself says of its heap.
func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// emptyOne writes down how much of an emptied map a new one of its entries
// would give back, and what both take.
func emptyOne(entries int) {
	none := heapBytes()
	emptied = map[uint64]uint64{}
	for i := 0; i < entries; i++ {
		emptied[uint64(i)] = uint64(i)
	}
	full := heapBytes()
	for i := 10; i < entries; i++ {
		delete(emptied, uint64(i))
	}
	before := heapBytes()
	regrown = make(map[uint64]uint64, len(emptied))
	for key, value := range emptied {
		regrown[key] = value
	}
	after := heapBytes()
	if account != nil {
		fmt.Fprintf(account, "# emptied %d bytes %d wasted %d\n", entries, full-none, before-none-(after-before))
	}
	note(emptied, "main.emptied")
	note(regrown, "main.regrown")
}

func main() {
	trap := flag.Bool("trap", false, "stop by a breakpoint instruction")
	empty := flag.Int("empty", 0, "entries of a map that is emptied")
	other := flag.Int("other", 0, "MiB of other objects")
	flag.Parse()
	parts := 1000
	if flag.NArg() > 0 {
		parts, _ = strconv.Atoi(flag.Arg(0))
	}
	if flag.NArg() > 1 {
		file, err := os.Create(flag.Arg(1))
		if err != nil {
			panic(err)
		}
		account = bufio.NewWriter(file)
	}
	central = depot.New(8)
	fill(central, parts)
	counting, counts := counter()
	count = counting
	for i := 0; i < 30; i++ {
		count("k" + strconv.Itoa(i%10))
	}
	note(counts, "main.count")
	counts = nil
	released = make(chan struct{})
	ready, done := make(chan func()), make(chan struct{})
	for i := 0; i < 4; i++ {
		go worker(i, ready)
		(<-ready)()
		go parked(i, done)
		<-done
	}
	listAll(central)
	for i := 0; i < *other; i++ {
		// three quarters in objects without pointers, as texts are
		for n := 0; n < 768; n++ {
			texts = append(texts, make([]byte, 1024))
		}
		for n := 0; n < 2048; n++ {
			rest = &filler{next: rest, text: texts[len(texts)-1]}
		}
	}
	if *empty > 0 {
		emptyOne(*empty)
	}
	runtime.GC()
	if account != nil {
		account.Flush()
	}
	checkpoint(*trap)
	close(released)
	fmt.Println(len(hits), count("end"))
}
