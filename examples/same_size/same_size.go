// SPDX-License-Identifier: MIT

// same_size stops in the middle of a growth that adds no bucket.
//
// The map holds 800 entries in 128 buckets. Deleting one entry and inserting
// another, again and again, never makes it larger, but whenever nine entries
// meet in a bucket it gets an overflow bucket, and keeps it when they are
// gone. Once there are as many overflow buckets as buckets, the next insert
// starts a growth to the same size, which packs the entries anew. The program
// stops when about half of the old buckets are evacuated.
//
//	same_size [--truth FILE]
//
// FILE receives what the map must hold, one JSON object per line, sorted by
// key; it is written from the program's own record, never read from the map.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"unsafe"
)

const (
	entries = 800
	// Replacements (a delete and an insert, so two writes) after the one that
	// starts the growth. A write moves two old buckets as long as its own one
	// still waits: 37 writes move about 64 of 128.
	replacementsInGrowth = 18
	// No map needs nearly as many before it grows; it bounds the search.
	maxReplacements = 10_000_000
)

// hmap is the head of a Go map, runtime/map.go, Go 1.17 to 1.23. The program
// looks at it to know when the growth starts, which Go does not tell.
type hmap struct {
	count      int
	flags      uint8
	b          uint8
	noverflow  uint16
	hash0      uint32
	buckets    unsafe.Pointer
	oldbuckets unsafe.Pointer
}

// growing reports whether m is in a growth.
func growing(m map[uint64]string) bool {
	return (*(**hmap)(unsafe.Pointer(&m))).oldbuckets != nil
}

// checkpoint is where a debugger stops: `break main.checkpoint`.
//
//go:noinline
func checkpoint(m map[uint64]string) int {
	return len(m)
}

// churn is a map and the program's own record of what it must hold.
type churn struct {
	m      map[uint64]string
	live   []uint64
	next   uint64
	random *rand.Rand
}

func value(key uint64) string {
	return fmt.Sprintf("order %d", key)
}

func (c *churn) insert() {
	c.m[c.next] = value(c.next)
	c.live = append(c.live, c.next)
	c.next++
}

// replace deletes an entry chosen at random and inserts a new one.
func (c *churn) replace() {
	i := c.random.Intn(len(c.live))
	delete(c.m, c.live[i])
	c.live[i] = c.live[len(c.live)-1]
	c.live = c.live[:len(c.live)-1]
	c.insert()
}

func (c *churn) writeTruth(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	sorted := append([]uint64(nil), c.live...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	for _, key := range sorted {
		fmt.Fprintf(w, "{\"key\": %d, \"value\": %q}\n", key, value(key))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func fail(err any) {
	fmt.Fprintln(os.Stderr, "same_size:", err)
	os.Exit(1)
}

func main() {
	truth := flag.String("truth", "", "write the entries that the map must hold to `FILE`")
	flag.Parse()

	c := churn{m: make(map[uint64]string, entries), random: rand.New(rand.NewSource(1))}
	for len(c.live) < entries {
		c.insert()
	}
	for n := 0; !growing(c.m); n++ {
		if n == maxReplacements {
			fail("no same-size growth: are these maps of Go 1.24 or later?")
		}
		c.replace()
	}
	for n := 0; n < replacementsInGrowth; n++ {
		c.replace()
	}

	if *truth != "" {
		if err := c.writeTruth(*truth); err != nil {
			fail(err)
		}
	}
	fmt.Printf("%d entries\n", checkpoint(c.m))
}
