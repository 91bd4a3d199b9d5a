// SPDX-License-Identifier: MIT

// damaged stops at checkpoint with Swiss maps (Go 1.24 and later), each of which
// has one kind of damage but Sound. Nothing is done with them after that, and the
// collector is off.
package main

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"unsafe"
)

var (
	Sound       map[uint64]uint64
	Text        map[string]int
	Used        map[uint64]uint64
	Writing     map[uint64]uint64
	TableUsed   map[uint64]uint64
	GrowthLeft  map[uint64]uint64
	Control     map[uint64]uint64
	Hash        map[uint64]uint64
	KeyChanged  map[uint64]uint64
	Twice       map[uint64]uint64
	TextChanged map[string]int
	Index       map[uint64]uint64
	TableLost   map[uint64]uint64
	Depth       map[uint64]uint64
)

// header and table are internal/runtime/maps.Map and table of Go 1.24 to 1.27.
type header struct {
	used        uint64
	seed        uintptr
	dirPtr      unsafe.Pointer
	dirLen      int
	globalDepth uint8
	globalShift uint8
	writing     uint8
}

type table struct {
	used, capacity, growthLeft uint16
	localDepth                 uint8
	index                      int
	groups                     unsafe.Pointer
	mask                       uint64
}

// group is that of map[uint64]uint64: key and element side by side.
type group struct {
	ctrl  [8]uint8
	slots [8][2]uint64
}

func at[T any](start unsafe.Pointer, i uint64) *T {
	var size T
	return (*T)(unsafe.Add(start, uintptr(i)*unsafe.Sizeof(size)))
}

// numbers is a map of two tables and more.
func numbers() (map[uint64]uint64, *header) {
	m := map[uint64]uint64{}
	for i := uint64(0); i < 2000; i++ {
		m[i] = i * i
	}
	return m, *(**header)(unsafe.Pointer(&m))
}

func (h *header) table(i uint64) *table { return *at[*table](h.dirPtr, i) }

// slot is the first slot of table 0 that is full, or empty, in group 1.
func (h *header) slot(full bool) (*group, int) {
	t := h.table(0)
	for g := uint64(1); g <= t.mask; g++ {
		gr := at[group](t.groups, g)
		for s, c := range gr.ctrl {
			if (c < 0x80) == full {
				return gr, s
			}
		}
	}
	panic("no such slot")
}

//go:noinline
func checkpoint() {}

func main() {
	debug.SetGCPercent(-1)
	var h *header
	Sound, _ = numbers()
	Text, TextChanged = map[string]int{}, map[string]int{}
	names := make([][]byte, 300)
	for i := range names {
		Text["key "+strconv.Itoa(i)] = i
		names[i] = []byte("key " + strconv.Itoa(i))
		TextChanged[*(*string)(unsafe.Pointer(&names[i]))] = i
	}
	names[100][0] = 'K'
	Used, h = numbers()
	h.used += 5
	Writing, h = numbers()
	h.writing = 1
	TableUsed, h = numbers()
	h.table(0).used++
	GrowthLeft, h = numbers()
	h.table(1).growthLeft += 3
	Control, h = numbers()
	g, s := h.slot(false)
	g.ctrl[s] = 0x99
	Hash, h = numbers()
	g, s = h.slot(true)
	g.ctrl[s] ^= 1
	KeyChanged, h = numbers()
	g, s = h.slot(true)
	g.slots[s][0] += 1 << 40
	Twice, h = numbers()
	twice(h)
	Index, h = numbers()
	h.table(1).index = 77
	TableLost, h = numbers()
	*at[unsafe.Pointer](h.dirPtr, 1) = unsafe.Pointer(uintptr(0x5ead00000000))
	Depth, h = numbers()
	h.table(0).localDepth = 20
	checkpoint()
	fmt.Println("done", len(Sound))
}

// twice gives an entry a second slot in its own group, and counts it.
func twice(h *header) {
	for t := uint64(0); t < uint64(h.dirLen); t++ {
		table := h.table(t)
		for i := uint64(0); i <= table.mask; i++ {
			g := at[group](table.groups, i)
			full, empty := -1, -1
			for s, c := range g.ctrl {
				if c < 0x80 {
					full = s
				} else {
					empty = s
				}
			}
			if full >= 0 && empty > full {
				g.ctrl[empty], g.slots[empty] = g.ctrl[full], g.slots[full]
				table.used++
				table.growthLeft--
				h.used++
				return
			}
		}
	}
	panic("no group with a full and an empty slot")
}
