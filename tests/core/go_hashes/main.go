// SPDX-License-Identifier: MIT

// go_hashes prints hashes as Go's runtime computes them, one JSON object on a line, for
// test_go_hash.py, which reads recorded.jsonl. The process's keys are random: they are printed too.
//
// recorded.jsonl was made with Go 1.22 and 1.26, with the processor's AES and without:
//
//	go run -ldflags=-checklinkname=0 .                        (no such flag before Go 1.23)
//	GODEBUG=cpu.aes=off go run -ldflags=-checklinkname=0 .
package main

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"strconv"
	"unsafe"
)

//go:linkname memhash runtime.memhash
//go:noescape
func memhash(p unsafe.Pointer, seed, size uintptr) uintptr

//go:linkname memhash32 runtime.memhash32
//go:noescape
func memhash32(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname memhash64 runtime.memhash64
//go:noescape
func memhash64(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname strhash runtime.strhash
//go:noescape
func strhash(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname f32hash runtime.f32hash
//go:noescape
func f32hash(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname f64hash runtime.f64hash
//go:noescape
func f64hash(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname c128hash runtime.c128hash
//go:noescape
func c128hash(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname nilinterhash runtime.nilinterhash
//go:noescape
func nilinterhash(p unsafe.Pointer, seed uintptr) uintptr

//go:linkname useAeshash runtime.useAeshash
var useAeshash bool

//go:linkname aeskeysched runtime.aeskeysched
var aeskeysched [128]byte

//go:linkname hashkey runtime.hashkey
var hashkey [4]uintptr

// Pair is not plain memory; runtime.typehash hashes its fields one by one.
type Pair struct {
	A, B  int32
	Name  string
	Share float64
}

func number(hash uintptr) string { return strconv.FormatUint(uint64(hash), 16) }

func main() {
	const seed = 0xfedcba9876543210
	var bytes [512]byte
	for i := range bytes {
		bytes[i] = byte(i*37 + 200)
	}
	form := map[string]any{"go": runtime.Version(), "aes": useAeshash, "seed": number(seed)}
	keys := make([]string, 0, 4)
	for _, key := range hashkey {
		keys = append(keys, number(key))
	}
	form["hashkey"] = keys
	form["schedule"] = hex.EncodeToString(aeskeysched[:])
	memory := make([]string, 0, 301)
	for size := 0; size <= 300; size++ {
		memory = append(memory, number(memhash(unsafe.Pointer(&bytes), seed, uintptr(size))))
		text := string(bytes[:size])
		if strhash(unsafe.Pointer(&text), seed) != memhash(unsafe.Pointer(&bytes), seed, uintptr(size)) {
			panic("strhash is not memhash")
		}
	}
	form["memhash"] = memory
	form["memhash32"] = number(memhash32(unsafe.Pointer(&bytes), seed))
	form["memhash64"] = number(memhash64(unsafe.Pointer(&bytes), seed))
	for name, value := range map[string]float64{
		"zero": 0, "minus zero": math.Copysign(0, -1), "1.5": 1.5, "-2.25": -2.25, "infinity": math.Inf(1),
	} {
		small, pair := float32(value), complex(value, 1.5)
		form["f64 "+name] = number(f64hash(unsafe.Pointer(&value), seed))
		form["f32 "+name] = number(f32hash(unsafe.Pointer(&small), seed))
		form["c128 "+name] = number(c128hash(unsafe.Pointer(&pair), seed))
	}
	for name, value := range map[string]any{
		"nil": nil, "int 5": 5, "int8 -1": int8(-1), "string": "caf\u00e9", "float64 0": 0.0, "empty struct": struct{}{},
		"array": [3]int16{1, 2, 3}, "pair": Pair{1, 2, "seven", 0.5}, "strings": [2]string{"a", ""},
	} {
		form["any "+name] = number(nilinterhash(unsafe.Pointer(&value), seed))
	}
	if err := json.NewEncoder(os.Stdout).Encode(form); err != nil {
		panic(err)
	}
}
