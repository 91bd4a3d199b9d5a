// SPDX-License-Identifier: MIT

// garbage stops at checkpoint with Go maps whose headers or buckets were
// damaged, one kind of damage for each variable. The runtime itself never
// sees them: nothing is done with them after they were damaged, and the
// collector is off.
package main

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"unsafe"
)

var (
	Sound             map[uint32]uint32
	B200              map[uint32]uint32
	B40               map[uint32]uint32
	Count60           map[uint32]uint32
	BucketsNowhere    map[uint32]uint32
	BucketsNil        map[uint32]uint32
	OldbucketsNowhere map[uint32]uint32
	NevacuateBeyond   map[uint32]uint32
	ChainLoops        map[uint32]uint32
	ChainLongLoop     map[uint32]uint32
	ChainShared       map[uint32]uint32
	ChainNowhere      map[uint32]uint32
	TophashImpossible map[uint32]uint32
	ExtraNowhere      map[uint32]uint32
	HeaderNowhere     map[uint32]uint32
	HeaderText        map[uint32]uint32
	KeyNowhere        map[string]int
	KeyHuge           map[string]int
	ValueNowhere      map[string]any
)

// header is runtime.hmap of Go 1.17 to 1.23 (runtime/map.go).
type header struct {
	count      int
	flags      uint8
	b          uint8
	noverflow  uint16
	hash0      uint32
	buckets    uintptr
	oldbuckets uintptr
	nevacuate  uintptr
	extra      uintptr
}

// numberBucket is the size of a bucket of map[uint32]uint32: tophash, keys,
// elements, overflow pointer.
const (
	numberBucket = 8 + 8*4 + 8*4 + 8
	nowhere      = 0x5ead00000000
)

func number() (map[uint32]uint32, *header) {
	m := map[uint32]uint32{}
	for i := uint32(0); i < 300; i++ {
		m[i] = i * i
	}
	return m, *(**header)(unsafe.Pointer(&m))
}

// texts makes a map of 300 entries whose first bucket is not empty; the hash is
// random.
func texts[V any](value func(int) V) (map[string]V, *header) {
	for {
		m := make(map[string]V)
		for i := 0; i < 300; i++ {
			m["key "+strconv.Itoa(i)] = value(i)
		}
		h := *(**header)(unsafe.Pointer(&m))
		if live(h.buckets) > 0 {
			return m, h
		}
	}
}

func at(address uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}

// overflow is where a bucket's chain goes on.
func overflow(h *header, bucket uintptr) *uintptr {
	return (*uintptr)(at(h.buckets + bucket*numberBucket + numberBucket - 8))
}

func link(h *header, bucket, next uintptr) { *overflow(h, bucket) = next }

func (h *header) bucket(i uintptr) uintptr { return h.buckets + i*numberBucket }

// liveCell is the number of the first live cell of the bucket at address.
func liveCell(bucket uintptr) uintptr {
	tophash := (*[8]uint8)(at(bucket))
	for i, t := range tophash {
		if t >= 5 {
			return uintptr(i)
		}
	}
	panic("an empty bucket")
}

//go:noinline
func checkpoint() {}

// live counts a bucket's live cells.
func live(bucket uintptr) (n int) {
	for _, top := range *(*[8]uint8)(at(bucket)) {
		if top >= 5 {
			n++
		}
	}
	return n
}

func main() {
	debug.SetGCPercent(-1)
	var h *header
	Sound, _ = number()
	B200, h = number()
	h.b = 200
	B40, h = number()
	h.b = 40
	Count60, h = number()
	h.count = 1 << 60
	BucketsNowhere, h = number()
	h.buckets = nowhere
	BucketsNil, h = number()
	h.buckets = 0
	OldbucketsNowhere, h = number()
	h.oldbuckets, h.nevacuate = nowhere, 3
	NevacuateBeyond, h = number()
	h.oldbuckets, h.nevacuate = h.buckets, 1<<40
	// of a bucket alone, so that no entry is lost behind the loop
	for ChainLoops, h = number(); *overflow(h, 5) != 0; ChainLoops, h = number() {
	}
	link(h, 5, h.bucket(5))
	ChainLongLoop, h = number()
	link(h, 5, h.bucket(64))
	link(h, 64, h.bucket(65))
	link(h, 65, h.bucket(64))
	ChainShared, h = number()
	link(h, 5, h.bucket(64))
	link(h, 6, h.bucket(64))
	link(h, 64, 0)
	ChainNowhere, h = number()
	link(h, 5, nowhere)
	TophashImpossible, h = number()
	// in a bucket with several entries, so that some are lost
	lossy := uintptr(7)
	for ; live(h.bucket(lossy)) < 3; lossy++ {
	}
	*(*[8]uint8)(at(h.bucket(lossy))) = [8]uint8{2, 3, 4, 0, 0x99, 0, 1, 0}
	ExtraNowhere, h = number()
	h.extra = 0x1234
	*(*uintptr)(unsafe.Pointer(&HeaderNowhere)) = 0x10
	letters := []byte("ABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGH")
	*(*unsafe.Pointer)(unsafe.Pointer(&HeaderText)) = unsafe.Pointer(&letters[0])

	KeyNowhere, h = texts(func(i int) int { return i })
	*(*uintptr)(at(h.buckets + 8 + 16*liveCell(h.buckets))) = nowhere
	KeyHuge, h = texts(func(i int) int { return i })
	*(*uintptr)(at(h.buckets + 8 + 16*liveCell(h.buckets) + 8)) = 1 << 60
	ValueNowhere, h = texts(func(i int) any { return i }) // the type word of its interface
	*(*uintptr)(at(h.buckets + 8 + 16*8 + 16*liveCell(h.buckets))) = nowhere
	checkpoint()
	fmt.Println("done")
}
