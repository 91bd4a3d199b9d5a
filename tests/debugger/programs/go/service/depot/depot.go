// SPDX-License-Identifier: MIT

// Package depot has maps in its fields, where programs mostly have them.
package depot

import "sync"

// A Label is a key of two words and a string.
type Label struct {
	Region string
	Rack   int
}

// A Part owns a map of its own.
type Part struct {
	Name  string
	Attrs map[string]interface{}
	Sizes [2]map[int32]float32
}

// A Bay is one of the parts that a depot is split into.
type Bay struct {
	lock   sync.Mutex
	parts  map[Label]*Part
	Visits map[string]int
}

// A Cache is generic.
type Cache[K comparable, V any] struct {
	entries map[K]V
	order   []K
}

// Put stores a value.
//
//go:noinline
func (c *Cache[K, V]) Put(key K, value V) {
	if c.entries == nil {
		c.entries = make(map[K]V)
	}
	c.entries[key] = value
	c.order = append(c.order, key)
}

// Entries gives the map itself.
func (c *Cache[K, V]) Entries() map[K]V { return c.entries }

// A Node is part of a list and of a tree.
type Node struct {
	Next, Left, Right *Node
	Seen              map[uint64]bool
}

type hidden struct {
	flags map[uint32]bool
}

// A Depot reaches its maps in many ways.
type Depot struct {
	Bays     []*Bay
	Nested   map[string]map[string]map[string]int
	Any      interface{}
	ByTag    map[string][]string
	Hooks    map[string]func(string) int
	Fixed    [3]map[int]string
	Typed    *Cache[string, Part]
	Queue    chan map[string]int
	Sessions sync.Map
	List     *Node
	Stored   map[interface{}]interface{}
	hidden
}

// New makes one with so many bays.
func New(bays int) *Depot {
	d := &Depot{
		Nested: map[string]map[string]map[string]int{},
		ByTag:  map[string][]string{},
		Hooks:  map[string]func(string) int{},
		Typed:  &Cache[string, Part]{},
		Queue:  make(chan map[string]int, 16),
		Stored: map[interface{}]interface{}{},
		hidden: hidden{map[uint32]bool{}},
	}
	for i := 0; i < bays; i++ {
		d.Bays = append(d.Bays, &Bay{parts: map[Label]*Part{}, Visits: map[string]int{}})
	}
	return d
}

// Flags gives what only a promoted field leads to.
func (d *Depot) Flags() map[uint32]bool { return d.flags }

// Parts gives a bay's map.
func (b *Bay) Parts() map[Label]*Part { return b.parts }

// Put stores a part.
func (b *Bay) Put(label Label, part *Part) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.parts[label] = part
	b.Visits[label.Region]++
}
