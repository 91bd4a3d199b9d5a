// SPDX-License-Identifier: MIT

// Sync.Maps that are held in every way, and this program's own account of them: a line of JSON for
// each, with its address, what Range finds, who holds it, and what the heap grew by when a large one
// was made.
//
//	syncheap ACCOUNT
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

type row struct {
	address uintptr
	count   int
	owner   string
	grown   int64
}

// A shard is one of many, each with its sync.Map.
type shard struct {
	name string
	hits sync.Map
}

type server struct {
	before   [3]int
	sessions sync.Map
	shards   []shard
	byName   map[string]*sync.Map
}

var (
	cache   sync.Map
	never   sync.Map
	emptied sync.Map
	large   sync.Map
	pointer = new(sync.Map)
	any     interface{}
	central = &server{byName: map[string]*sync.Map{}}
	waiting = make(chan *sync.Map, 2)
	many    [6000]*shard // more than are taken apart one by one
	tables  [6000]map[int]bool
	found   []row
)

func fill(m *sync.Map, from, to int) {
	for i := from; i < to; i++ {
		m.Store(i, i+1)
	}
}

func count(m *sync.Map) int {
	n := 0
	m.Range(func(_, _ interface{}) bool { n++; return true })
	return n
}

func note(m *sync.Map, owner string, grown int64) {
	found = append(found, row{uintptr(unsafe.Pointer(m)), count(m), owner, grown})
}

func held() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

//go:noinline
func checkpoint() {}

func main() {
	keys := make([]interface{}, 20000) // what keys and values are kept in is not the map's
	for i := range keys {
		keys[i] = i
	}
	before := held()
	for _, key := range keys {
		large.Store(key, key)
	}
	count(&large) // all of it is read now
	grown := held() - before
	note(&large, "main.large", grown)

	fill(&cache, 0, 100)
	count(&cache)
	fill(&cache, 50, 130) // of two maps, both have entries now
	cache.Delete(3)
	cache.Store("inner", map[string]int{"a": 1, "b": 2, "c": 3})
	note(&cache, "main.cache", 0)
	cache.Store("late", 1) // of two maps, one has more than the other
	found[len(found)-1].count++
	fill(&emptied, 0, 40)
	emptied.Range(func(key, _ interface{}) bool { emptied.Delete(key); return true })
	note(&emptied, "main.emptied", 0)
	fill(pointer, 0, 7)
	note(pointer, "main.pointer", 0)
	any = &shard{name: "any"}
	fill(&any.(*shard).hits, 0, 5)
	note(&any.(*shard).hits, "main.any.hits", 0)
	fill(&central.sessions, 0, 1000)
	note(&central.sessions, "main.central.sessions", 0)
	central.shards = make([]shard, 20, 32) // twelve more are there, and hold nothing
	for i := range central.shards {
		fill(&central.shards[i].hits, 0, i+1)
		note(&central.shards[i].hits, "main.central.shards[].hits", 0)
	}
	central.byName["one"] = new(sync.Map)
	fill(central.byName["one"], 0, 9)
	note(central.byName["one"], "main.central.byName[]", 0)
	many[5999] = &shard{}
	fill(&many[5999].hits, 0, 2)
	note(&many[5999].hits, "main.many[].hits", 0)
	tables[5998] = map[int]bool{1: true, 2: false}
	queued := new(sync.Map)
	fill(queued, 0, 3)
	note(queued, "main.waiting[]", 0)
	waiting <- queued
	count(&never)

	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, one := range found {
		fmt.Fprintf(file, "{\"address\": %d, \"count\": %d, \"owner\": %q, \"grown\": %d}\n",
			one.address, one.count, one.owner, one.grown)
	}
	if err := file.Close(); err != nil {
		panic(err)
	}
	checkpoint()
	runtime.KeepAlive(keys)
	runtime.KeepAlive(queued)
}
