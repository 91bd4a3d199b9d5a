// SPDX-License-Identifier: MIT

// syncmap has sync.Maps in every state, and its own record of what Load and Range give of each.
//
//	syncmap --truth FILE [--trap]   the maps at rest, at checkpoint
//	syncmap --steps FILE            operations one by one, between begin and end
//	syncmap --damage                maps with something in them that cannot be, at checkpoint
//	syncmap --stops                 operations of one map, for stops, between begin and end
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"programs/truth"
)

// Point is a key of several words.
type Point struct{ X, Y int64 }

// Server holds a map by value, and one behind a pointer.
type Server struct {
	Name  string
	Cache sync.Map
	Peers *sync.Map
}

var (
	Zero     sync.Map
	Fresh    sync.Map
	Promoted sync.Map
	Amended  sync.Map
	Missed   sync.Map
	Emptied  sync.Map
	Cleared  sync.Map
	Mixed    sync.Map
	Same     sync.Map
	Many     sync.Map
	Behind   = new(sync.Map)
	Shop     = &Server{Name: "shop", Peers: new(sync.Map)}
	Nowhere  *sync.Map
	Held     any = Behind
)

// clear empties a map and its record; before Go 1.23 one entry at a time.
func clear(t *truth.Sync, m *sync.Map) {
	if c, ok := any(m).(interface{ Clear() }); ok {
		c.Clear()
	} else {
		m.Range(func(key, _ any) bool { m.Delete(key); return true })
	}
	t.Clear()
}

// promote makes the dirty map the read one, where there are two.
func promote(m *sync.Map) { m.Range(func(_, _ any) bool { return false }) }

//go:noinline
func checkpoint() {}

//go:noinline
func begin() {}

//go:noinline
func end() {}

func fill(t *truth.Sync, from, to int) *truth.Sync {
	for i := from; i < to; i++ {
		t.Put(fmt.Sprint("key", i), i)
	}
	return t
}

func build() {
	truth.OfSync("main.Zero", &Zero)
	fill(truth.OfSync("main.Fresh", &Fresh), 0, 10)
	fill(truth.OfSync("main.Promoted", &Promoted), 0, 10)
	promote(&Promoted)

	amended := fill(truth.OfSync("main.Amended", &Amended), 0, 10)
	promote(&Amended)
	amended.Delete("key1") // nil now, expunged with the next new key
	amended.Delete("key2")
	fill(amended, 10, 14)
	amended.Delete("key3")  // nil, and in both maps
	amended.Delete("key11") // gone from the dirty map; counts a miss
	amended.Put("key4", "four")
	amended.Put("key2", 22) // not expunged any more

	missed := fill(truth.OfSync("main.Missed", &Missed), 0, 10)
	for i := 0; i < 3; i++ {
		Missed.Load("nobody")
	}
	_ = missed

	emptied := fill(truth.OfSync("main.Emptied", &Emptied), 0, 10)
	promote(&Emptied)
	for i := 0; i < 10; i++ {
		emptied.Delete(fmt.Sprint("key", i))
	}

	cleared := fill(truth.OfSync("main.Cleared", &Cleared), 0, 10)
	clear(cleared, &Cleared)
	cleared.Put("after", 1)

	number := 7
	mixed := truth.OfSync("main.Mixed", &Mixed)
	for i, key := range []any{
		"text", "", 1, -1, uint8(200), 2.5, true, Point{1, 2}, [2]int8{1, 2}, complex(1, 2), &number, nil, 'x',
		struct{}{}, "\xff", int64(1) << 40,
	} {
		mixed.Put(key, []any{i, nil, "value", Point{3, 4}, &number}[i%5])
	}

	// hashes of interfaces do not tell types of equal bytes apart
	same := truth.OfSync("main.Same", &Same)
	for i := 0; i < 3; i++ {
		same.Put(i, "int")
		same.Put(int64(i), "int64")
		same.Put(uint64(i), "uint64")
		same.Put(uintptr(i), "uintptr")
	}
	same.Delete(int64(1))
	same.Put(uint64(2), "again")

	many := fill(truth.OfSync("main.Many", &Many), 0, 3000)
	promote(&Many)
	for i := 0; i < 3000; i += 3 {
		many.Delete(fmt.Sprint("key", i))
	}
	fill(many, 3000, 3100)

	fill(truth.OfSync("main.Behind", Behind), 0, 3)
	fill(truth.OfSync("main.Shop.Cache", &Shop.Cache), 0, 4)
	fill(truth.OfSync("main.Shop.Peers", Shop.Peers), 0, 5)
}

// operation is one to step through, on a map of its own.
type operation struct {
	record *truth.Sync
	after  func() // brings the record to what holds after the operation
	run    func()
}

func operations() []operation {
	var found []operation
	add := func(name string, prepare func(*truth.Sync, *sync.Map), after func(*truth.Sync), run func(*sync.Map)) {
		m := new(sync.Map)
		t := truth.OfSync(name, m)
		prepare(t, m)
		found = append(found, operation{t, func() { after(t) }, func() { run(m) }})
	}
	promoted := func(size int) func(*truth.Sync, *sync.Map) {
		return func(t *truth.Sync, m *sync.Map) {
			fill(t, 0, size)
			promote(m)
		}
	}
	expunged := func(t *truth.Sync, m *sync.Map) {
		promoted(6)(t, m)
		t.Delete("key1")
		t.Delete("key2")
		fill(t, 6, 8)
	}
	put := func(key, value any) func(*truth.Sync) {
		return func(t *truth.Sync) { t.Note(key, value) }
	}
	forget := func(key any) func(*truth.Sync) {
		return func(t *truth.Sync) { t.Forget(key) }
	}
	store := func(key, value any) func(*sync.Map) {
		return func(m *sync.Map) { m.Store(key, value) }
	}
	nothing := func(*truth.Sync) {}
	add("first", func(*truth.Sync, *sync.Map) {}, put("key0", 0), store("key0", 0))
	add("second map", func(t *truth.Sync, m *sync.Map) {
		promoted(6)(t, m)
		t.Delete("key1")
	}, put("new", 1), store("new", 1))
	add("overwrite", promoted(4), put("key1", "one"), store("key1", "one"))
	add("unexpunge", expunged, put("key1", 11), store("key1", 11))
	add("store in the dirty map", expunged, put("key7", 77), store("key7", 77))
	add("grow", func(t *truth.Sync, m *sync.Map) { fill(t, 0, 8) }, put("key8", 8), store("key8", 8))
	add("delete", promoted(4), forget("key1"), func(m *sync.Map) { m.Delete("key1") })
	add("delete in the dirty map", expunged, forget("key7"), func(m *sync.Map) { m.Delete("key7") })
	add("promotion by a load", func(t *truth.Sync, m *sync.Map) {
		fill(t, 0, 3)
		m.Load("nobody")
		m.Load("nobody")
	}, nothing, func(m *sync.Map) { m.Load("key1") })
	add("promotion by a range", expunged, nothing, promote)
	add("load or store", expunged, put("new", 1), func(m *sync.Map) { m.LoadOrStore("new", 1) })
	add("same hash", func(t *truth.Sync, m *sync.Map) { t.Put(1, "int") }, put(uint64(1), "uint64"),
		store(uint64(1), "uint64"))
	chain := func(t *truth.Sync, m *sync.Map) {
		t.Put(1, "int").Put(uint64(1), "uint64").Put(int64(1), "int64")
	}
	add("overwrite in a chain", chain, put(1, "again"), store(1, "again"))
	add("delete from a chain", chain, forget(uint64(1)), func(m *sync.Map) { m.Delete(uint64(1)) })
	add("delete the last", func(t *truth.Sync, m *sync.Map) {
		fill(t, 0, 40)
		for i := 1; i < 40; i++ {
			t.Delete(fmt.Sprint("key", i))
		}
	}, forget("key0"), func(m *sync.Map) { m.Delete("key0") })
	if _, ok := any(&Zero).(interface{ Clear() }); ok {
		add("clear", expunged, func(t *truth.Sync) { t.Clear() }, func(m *sync.Map) {
			any(m).(interface{ Clear() }).Clear()
		})
	}
	return found
}

// stops does to one map what stops are for.
func stops() {
	for i := 0; i < 6; i++ {
		Fresh.Store(fmt.Sprint("key", i), i)
	}
	begin()
	Fresh.Store("one", 1) // new
	Fresh.Store("one", 2)
	Fresh.LoadOrStore("one", 3) // it is there: nothing is stored
	Fresh.LoadOrStore("two", 2)
	Fresh.Delete("nobody") // nothing is deleted
	for i := 0; i < 10; i++ {
		Fresh.Load("nobody") // the read map and the dirty one change places
	}
	Fresh.Delete("one")
	Fresh.Store(7, "seven")
	Fresh.LoadAndDelete(7)
	clear(truth.OfSync("main.Fresh", &Fresh), &Fresh)
	end()
}

func main() {
	path := flag.String("truth", "", "write the record of all maps to this file")
	steps := flag.String("steps", "", "write the record of all operations to this file")
	stop := flag.Bool("stops", false, "do what stops are for")
	bad := flag.Bool("damage", false, "damage maps")
	trap := flag.Bool("trap", false, "stop by a breakpoint instruction before checkpoint")
	flag.Parse()
	if *bad {
		damage()
		checkpoint()
		os.Exit(0) // what is damaged is nothing for the collector
	}
	if *stop {
		stops()
		return
	}
	if *steps != "" {
		var lines strings.Builder
		all := operations()
		for _, o := range all {
			lines.WriteString(o.record.LineAs(o.record.Name() + ":before"))
			o.after()
			lines.WriteString(o.record.LineAs(o.record.Name() + ":after"))
		}
		truth.Write(*steps, lines.String())
		for _, o := range all {
			begin()
			o.run()
			end()
			if !o.record.Agrees() {
				panic(o.record.Name() + ": the record is not what the map has")
			}
		}
		return
	}
	build()
	truth.Write(*path, truth.Lines())
	if *trap {
		runtime.Breakpoint()
	}
	checkpoint()
	if Nowhere != nil || Held == nil {
		panic("never")
	}
}
