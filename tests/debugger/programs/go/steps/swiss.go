// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"strings"
	"unsafe"

	"programs/truth"
)

// swissMap is internal/runtime/maps.Map of Go 1.24 to 1.27.
type swissMap struct {
	used        uint64
	seed        uintptr
	dirPtr      unsafe.Pointer
	dirLen      int
	globalDepth uint8
	globalShift uint8
}

// swissTable is internal/runtime/maps.table.
type swissTable struct {
	used, capacity, growthLeft uint16
	localDepth                 uint8
	index                      int
	groups                     unsafe.Pointer
	lengthMask                 uint64
}

const deleted = 0xfe // the control byte of a slot that was deleted

// isSwiss says whether this program's maps are Swiss maps.
func isSwiss() bool {
	version := runtime.Version()
	for _, classic := range []string{"go1.19", "go1.20", "go1.21", "go1.22", "go1.23"} {
		if strings.HasPrefix(version, classic) {
			return false
		}
	}
	return !strings.Contains(version, "noswissmap")
}

func (s *subject[K, V]) swiss() *swissMap { return *(**swissMap)(unsafe.Pointer(s.m)) }

// tables are those that the directory leads to, each as often as it does.
func (s *subject[K, V]) tables() []*swissTable {
	h := s.swiss()
	if h == nil || h.dirLen == 0 {
		return nil
	}
	return unsafe.Slice((**swissTable)(h.dirPtr), h.dirLen)
}

// hash is that of a key: the map's type has the function.
func (s *subject[K, V]) hash(key K) uintptr {
	var m any = *s.m
	hasher := *(*func(unsafe.Pointer, uintptr) uintptr)(unsafe.Add(*(*unsafe.Pointer)(unsafe.Pointer(&m)), 72))
	return hasher(unsafe.Pointer(&key), s.swiss().seed)
}

// slotSize is that of a key with its element in bytes, up to Go 1.26.
func (s *subject[K, V]) slotSize() uintptr {
	var slot struct {
		key  K
		elem V
	}
	return unsafe.Sizeof(slot)
}

// tombstones is the number of deleted slots of a table.
func (s *subject[K, V]) tombstones(t *swissTable) int {
	count := 0
	for group := uint64(0); group <= t.lengthMask; group++ {
		for slot := uintptr(0); slot < 8; slot++ {
			if s.control(t, group, slot) == deleted {
				count++
			}
		}
	}
	return count
}

func (s *subject[K, V]) control(t *swissTable, group uint64, slot uintptr) uint8 {
	return *(*uint8)(unsafe.Add(t.groups, uintptr(group)*(8+8*s.slotSize())+slot))
}

// inFullGroup is the key of the first slot of a table's first group that is full; false: none is.
func (s *subject[K, V]) inFullGroup(t *swissTable) (K, bool) {
	for group := uint64(0); group <= t.lengthMask; group++ {
		full := true
		for slot := uintptr(0); slot < 8; slot++ {
			full = full && s.control(t, group, slot) < 0x80
		}
		if full {
			return *(*K)(unsafe.Add(t.groups, uintptr(group)*(8+8*s.slotSize())+8)), true
		}
	}
	var none K
	return none, false
}

// until puts keys until done.
func (s *subject[K, V]) until(done func() bool) *subject[K, V] {
	for *s.m == nil || !done() {
		s.put()
	}
	return s
}

func (s *subject[K, V]) upTo(count int) *subject[K, V] {
	return s.until(func() bool { return len(*s.m) == count })
}

// prepareSwiss prepares the operations of a kind of Swiss map.
//
// inSlots: keys and elements lie in the slots themselves
// all: those too that take long
func prepareSwiss[K comparable, V any](k kind[K, V], inSlots, all bool) {
	on := func(name string) *subject[K, V] {
		m := new(map[K]V)
		return &subject[K, V]{k, m, truth.Of(k.name+": "+name, m), 0}
	}
	on("insert into a group").upTo(5).inserts()
	on("overwrite in a group").upTo(5).overwrites()
	on("delete from a group").upTo(5).removes()
	on("delete the only one").upTo(1).removes()
	on("clear a group").upTo(5).clears()
	on("insert makes a table").upTo(8).inserts()
	on("insert into a table").upTo(10).inserts()
	on("overwrite in a table").upTo(10).overwrites()
	on("delete from a table").upTo(10).removes()
	on("clear a table").upTo(20).clears()
	on("insert grows a table").upTo(14).inserts()
	if inSlots {
		s := on("delete from a full group")
		s.until(func() bool {
			if len(s.tables()) != 1 {
				return false
			}
			_, found := s.inFullGroup(s.tables()[0])
			return found
		})
		key, _ := s.inFullGroup(s.tables()[0])
		s.add(func() { s.record.Forget(key) }, func() { s.remove(*s.m, key) })

		s = on("insert where tombstones are many")
		s.upTo(24)
		for t := s.tables()[0]; t.growthLeft > 0 || s.tombstones(t) < 4; t = s.tables()[0] {
			s.put()
			s.record.Delete(s.key(s.next - 24))
		}
		s.inserts()
	}
	if !all {
		return
	}
	s := on("insert splits the first table")
	s.until(func() bool {
		return len(s.tables()) == 1 && s.tables()[0].capacity == 1024 && s.tables()[0].growthLeft == 0
	})
	s.inserts()

	// one of two pairs of the directory is one table: its split leaves the directory as it is
	s = on("insert splits a table of several")
	s.until(func() bool {
		h := s.swiss()
		if h.dirLen < 4 {
			return false
		}
		t := s.tables()[s.hash(s.key(s.next))>>h.globalShift]
		return t.localDepth < h.globalDepth && t.capacity == 1024 && t.growthLeft == 0
	})
	s.inserts()
	on("clear several tables").upTo(1000).clears()
}
