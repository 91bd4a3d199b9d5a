// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Maps of which each has something in it that cannot be.
var (
	Sound, ReadNowhere, ReadOdd, DirtyNowhere, DirtyText, MissesOff, ValueNowhere, EntryNowhere, Lost,
	Unamended, RootNowhere, RootOdd, RootText, ChildNowhere, ChildLoops, ChildOdd, Dead, Parentless, Moved,
	ChainLoops, KindOdd, KeyNowhere, Empty *sync.Map
)

const nowhere = uintptr(0x5ead00000000)

var text = [64]string{}

// filled has eight keys in the read map, of which one is expunged, and four in the dirty one; or as
// many in a trie.
func filled() *sync.Map {
	m := new(sync.Map)
	for i := 0; i < 8; i++ {
		m.Store(i, i)
	}
	promote(m)
	m.Delete(1)
	for i := 8; i < 12; i++ {
		m.Store(i, i)
	}
	return m
}

// word is a word of a sync.Map by the names of the fields that lead to it.
func word(m *sync.Map, names ...string) *uintptr {
	t, at := reflect.TypeOf(m).Elem(), uintptr(0)
	for _, name := range names {
		field, ok := t.FieldByName(name)
		if !ok {
			panic(name)
		}
		t, at = field.Type, at+field.Offset
	}
	return wordAt(uintptr(unsafe.Pointer(m)), at)
}

func wordAt(base, at uintptr) *uintptr {
	place := base + at
	return *(**uintptr)(unsafe.Pointer(&place))
}

// Where the parts of a trie's nodes are (internal/sync/hashtriemap.go).
const deadAt, parentAt, childrenAt, overflowAt, keyAt = 4, 16, 24, 8, 16

// damageTrie damages maps that are tries.
func damageTrie() {
	child := func(m *sync.Map, wanted bool) *uintptr {
		root := *word(m, "m", "root")
		for i := uintptr(0); i < 16; i++ {
			slot := wordAt(root, childrenAt+8*i)
			if *slot != 0 && (*(*byte)(unsafe.Pointer(wordAt(*slot, 0))) != 0) == wanted {
				return slot
			}
		}
		panic("no such child")
	}
	*word(RootNowhere, "m", "root") = nowhere
	*word(RootOdd, "m", "root") |= 3
	*word(RootText, "m", "root") = uintptr(unsafe.Pointer(&text))
	*child(ChildNowhere, true) = nowhere
	*child(ChildLoops, true) = *word(ChildLoops, "m", "root")
	*child(ChildOdd, true) += 5
	*(*byte)(unsafe.Pointer(wordAt(*word(Dead, "m", "root"), deadAt))) = 1
	*wordAt(*word(Parentless, "m", "root"), parentAt) = nowhere
	slot := child(Moved, true)
	for i := uintptr(0); i < 16; i++ {
		if empty := wordAt(*word(Moved, "m", "root"), childrenAt+8*i); *empty == 0 {
			*empty, *slot = *slot, 0
			break
		}
	}
	chain := child(ChainLoops, true)
	*wordAt(*chain, overflowAt) = *chain
	*(*byte)(unsafe.Pointer(wordAt(*child(KindOdd, true), 0))) = 9
	*wordAt(*child(KeyNowhere, true), keyAt) = nowhere
}

// damageMaps damages maps of two maps.
func damageMaps() {
	read := func(m *sync.Map) *uintptr {
		if field, _ := reflect.TypeOf(m).Elem().FieldByName("read"); field.Type.Size() == 16 {
			return wordAt(uintptr(unsafe.Pointer(word(m, "read"))), 8)
		}
		return word(m, "read")
	}
	*read(ReadNowhere) = nowhere
	*(*byte)(unsafe.Pointer(wordAt(*read(ReadOdd), 8))) = 7
	*word(DirtyNowhere, "dirty") = nowhere
	*word(DirtyText, "dirty") = uintptr(unsafe.Pointer(&text))
	*word(MissesOff, "misses") = 1000
	inRead := func(m *sync.Map) map[any]*uintptr {
		return **(**map[any]*uintptr)(unsafe.Pointer(read(m)))
	}
	*inRead(ValueNowhere)[3] = nowhere
	dirty := func(m *sync.Map) map[any]*uintptr {
		return *(*map[any]*uintptr)(unsafe.Pointer(word(m, "dirty")))
	}
	dirty(EntryNowhere)[9] = (*uintptr)(unsafe.Pointer(wordAt(nowhere, 0)))
	delete(dirty(Lost), 4)
	*(*byte)(unsafe.Pointer(wordAt(*read(Unamended), 8))) = 0
}

// damage makes all of them, those that there are of a kind.
func damage() {
	maps := reflect.TypeOf(sync.Map{})
	all := []**sync.Map{&Sound, &Empty}
	_, isTrie := maps.FieldByName("m")
	if isTrie {
		all = append(all, &RootNowhere, &RootOdd, &RootText, &ChildNowhere, &ChildLoops, &ChildOdd, &Dead,
			&Parentless, &Moved, &ChainLoops, &KindOdd, &KeyNowhere)
	} else {
		all = append(all, &ReadNowhere, &ReadOdd, &DirtyNowhere, &DirtyText, &MissesOff, &ValueNowhere,
			&EntryNowhere, &Lost, &Unamended)
	}
	for i := range text {
		text[i] = fmt.Sprint("not a map ", i)
	}
	for _, m := range all {
		*m = filled()
	}
	Empty = new(sync.Map)
	if isTrie {
		damageTrie()
	} else {
		damageMaps()
	}
}
