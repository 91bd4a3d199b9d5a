// SPDX-License-Identifier: MIT

// hashes holds Go maps with keys of every sort that has a hash of its own, and stops at checkpoint.
//
//	hashes --truth FILE [--trap]
//
// --truth writes what is in the maps, one line of JSON for each (package truth). --trap stops by a
// breakpoint instruction of the program's own, for builds that have no symbols.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"programs/truth"
)

type (
	Label struct {
		N    int64
		Text string
	}
	Halves struct {
		A, B int32
		Text string
	}
	Padded struct {
		A    int8
		B    int64
		C    int16
		Text string
	}
	PaddedOnly struct {
		A int8
		B int64
		C int16
	}
	// Across has memory that only Go 1.27 and later hash as one.
	Across struct {
		Before int64
		Inner  Label
		After  int32
		Last   struct{ X, Y int32 }
	}
	Blank struct {
		_ int32
		A int32
		_ string
		B int8
		_ [3]int8
		C int16
	}
	BlankFirst struct {
		_ int64
		N int64
	}
	OnlyBlank struct{ _ int64 }
	Single    struct{ Text string }
	Floats    struct {
		A float32
		B complex64
		C float64
	}
	Bytes struct {
		A, B, C byte
		Text    string
		D       [13]byte
	}
	Held struct {
		Err  error
		Any  any
		Name string
	}
	Tail struct {
		Text string
		_    struct{}
	}
	Pointers struct {
		P *int
		C chan int
		U unsafe.Pointer
		S string
	}
	Wrapped    struct{ P *int }
	WrappedToo struct {
		_ struct{}
		P *int
	}
	Weekday int8
	Celsius float64
	Text    string
	Nested  struct {
		A, B struct{ C, D struct{ E, F int16 } }
	}
	Mixed struct {
		A [3]int16
		B [2]string
		C [2]Label
		D [0]int
		E bool
	}
)

// String makes Weekday a Stringer.
func (w Weekday) String() string { return fmt.Sprint(int(w)) }

// String makes a pointer to a Label a Stringer.
func (l *Label) String() string { return l.Text }

// String makes Halves a Stringer.
func (h Halves) String() string { return h.Text }

// Stringer's maps have keys of an interface that has methods.
type Stringer interface{ String() string }

var (
	Strings     map[string]int
	Texts       map[Text]int
	Growing     map[string]int
	GrowingInt  map[int64]int64
	Int8s       map[int8]int
	Int16s      map[int16]int
	Int32s      map[int32]int
	Uint64s     map[uint64]int
	Bools       map[bool]int
	Float32s    map[float32]int
	Float64s    map[float64]int
	Complex64s  map[complex64]int
	Complexes   map[complex128]int
	Labels      map[Label]int
	Halvess     map[Halves]int
	Paddeds     map[Padded]int
	PaddedOnes  map[PaddedOnly]int
	Acrosses    map[Across]int
	Blanks      map[Blank]int
	BlankOnes   map[BlankFirst]int
	OnlyBlanks  map[OnlyBlank]int
	Singles     map[Single]int
	Floatss     map[Floats]int
	Bytess      map[Bytes]int
	Helds       map[Held]int
	Tails       map[Tail]int
	Pointerss   map[Pointers]int
	Wrappeds    map[Wrapped]int
	WrappedToo2 map[WrappedToo]int
	Nesteds     map[Nested]int
	Mixeds      map[Mixed]int
	Empties     map[struct{}]int
	NoneOf      map[[0]string]int
	OneOf       map[[1]string]int
	TwoOf       map[[2]string]int
	FiveOf      map[[5]string]int
	Pairs9      map[[9]struct {
		A int32
		B float32
	}]int
	Labels3   map[[3]Label]int
	Anys2     map[[2]any]int
	Errors2   map[[2]error]int
	Floats7   map[[7]float64]int
	Complex2  map[[2]complex64]int
	Ints3     map[[3]int]int
	Bytes3    map[[3]byte]int
	Bytes4    map[[4]byte]int
	Bytes8    map[[8]byte]int
	Bytes12   map[[12]byte]int
	Bytes16   map[[16]byte]int
	Bytes17   map[[17]byte]int
	Bytes32   map[[32]byte]int
	Bytes33   map[[33]byte]int
	Bytes64   map[[64]byte]int
	Bytes65   map[[65]byte]int
	Bytes128  map[[128]byte]int
	Bytes129  map[[129]byte]int
	Bytes300  map[[300]byte]int
	Anys      map[any]int
	Errors    map[error]int
	Stringers map[Stringer]int
)

// fill records the map that m points at and puts the keys into it.
func fill(name string, m any, keys ...any) {
	record := truth.Of("main."+name, m)
	for i, key := range keys {
		record.Put(key, i)
	}
}

var numbers [4]int

func numbersAndTexts() {
	texts := []any{}
	for size := 0; size <= 300; size++ {
		texts = append(texts, strings.Repeat("x", size/2)+strings.Repeat("y", size-size/2))
	}
	fill("Strings", &Strings, texts...)
	fill("Texts", &Texts, Text(""), Text("one"), Text(strings.Repeat("long ", 40)))
	// In classic maps both are in the middle of a doubling.
	growing, growingInt := truth.Of("main.Growing", &Growing), truth.Of("main.GrowingInt", &GrowingInt)
	for i := 0; i < 1664+60; i++ {
		growing.Put(fmt.Sprintf("key %d", i), i)
		growingInt.Put(int64(i)<<40|int64(i), int64(-i))
	}
	fill("Int8s", &Int8s, int8(-1), int8(0), int8(127))
	fill("Int16s", &Int16s, int16(-1), int16(0), int16(999))
	fill("Int32s", &Int32s, int32(-1), int32(0), int32(1<<30), int32(7))
	fill("Uint64s", &Uint64s, uint64(0), uint64(math.MaxUint64), uint64(7), uint64(1)<<63)
	fill("Bools", &Bools, true, false)
	minus := math.Copysign(0, -1)
	fill("Float32s", &Float32s, float32(0), float32(1.5), float32(math.Inf(1)), float32(-2))
	fill("Float64s", &Float64s, minus, 1.5, math.Inf(-1), math.SmallestNonzeroFloat64, math.NaN())
	fill("Complex64s", &Complex64s, complex64(complex(0, minus)), complex64(1+2i))
	fill("Complexes", &Complexes, complex(minus, 0), 1+2i, complex(0, 3), complex(math.NaN(), 1))
}

func structs() {
	fill("Labels", &Labels, Label{}, Label{1, "one"}, Label{2, strings.Repeat("two", 50)})
	fill("Halvess", &Halvess, Halves{1, 2, "three"}, Halves{})
	fill("Paddeds", &Paddeds, Padded{1, 2, 3, "four"}, Padded{})
	fill("PaddedOnes", &PaddedOnes, PaddedOnly{1, 2, 3}, PaddedOnly{})
	across := Across{1, Label{2, "three"}, 4, struct{ X, Y int32 }{5, 6}}
	fill("Acrosses", &Acrosses, across, Across{})
	fill("Blanks", &Blanks, Blank{A: 1, B: 2, C: 3}, Blank{})
	fill("BlankOnes", &BlankOnes, BlankFirst{N: 1}, BlankFirst{})
	fill("OnlyBlanks", &OnlyBlanks, OnlyBlank{})
	fill("Singles", &Singles, Single{"one"}, Single{})
	fill("Floatss", &Floatss, Floats{1, 2i, 3}, Floats{})
	fill("Bytess", &Bytess, Bytes{1, 2, 3, "four", [13]byte{5}}, Bytes{})
	trouble := errors.New("trouble")
	fill("Helds", &Helds, Held{trouble, 1, "one"}, Held{}, Held{nil, Held{trouble, "inner", ""}, "two"})
	fill("Tails", &Tails, Tail{Text: "tail"}, Tail{})
	fill("Pointerss", &Pointerss, Pointers{&numbers[0], nil, unsafe.Pointer(&numbers), "p"}, Pointers{})
	fill("Wrappeds", &Wrappeds, Wrapped{&numbers[1]}, Wrapped{})
	fill("WrappedToo2", &WrappedToo2, WrappedToo{P: &numbers[1]}, WrappedToo{})
	var nested Nested
	nested.A.D.E, nested.B.C.F = 1, 2
	fill("Nesteds", &Nesteds, nested, Nested{})
	mixed := Mixed{A: [3]int16{1, 2, 3}, B: [2]string{"a", "b"}, C: [2]Label{{1, "c"}, {2, "d"}}, E: true}
	fill("Mixeds", &Mixeds, mixed, Mixed{})
	fill("Empties", &Empties, struct{}{})
}

func arrays() {
	fill("NoneOf", &NoneOf, [0]string{})
	fill("OneOf", &OneOf, [1]string{"one"}, [1]string{})
	fill("TwoOf", &TwoOf, [2]string{"one", "two"}, [2]string{})
	fill("FiveOf", &FiveOf, [5]string{"1", "2", "3", "4", "5"}, [5]string{})
	pairs := [9]struct {
		A int32
		B float32
	}{}
	more := pairs
	more[8].A, more[7].B = 1, 2
	fill("Pairs9", &Pairs9, pairs, more)
	fill("Labels3", &Labels3, [3]Label{{1, "a"}, {2, "b"}, {3, "c"}}, [3]Label{})
	fill("Anys2", &Anys2, [2]any{1, "a"}, [2]any{}, [2]any{[2]any{1, 2}, Held{Any: 1}})
	fill("Errors2", &Errors2, [2]error{errors.New("a"), nil})
	fill("Floats7", &Floats7, [7]float64{1, 2, 3}, [7]float64{})
	fill("Complex2", &Complex2, [2]complex64{1i, 2}, [2]complex64{})
	fill("Ints3", &Ints3, [3]int{1, 2, 3}, [3]int{})
	fill("Bytes3", &Bytes3, [3]byte{1, 2, 3}, [3]byte{})
	fill("Bytes4", &Bytes4, [4]byte{1, 2, 3}, [4]byte{})
	fill("Bytes8", &Bytes8, [8]byte{1, 2, 3}, [8]byte{})
	fill("Bytes12", &Bytes12, [12]byte{1, 2, 3}, [12]byte{})
	fill("Bytes16", &Bytes16, [16]byte{1, 2, 3}, [16]byte{})
	fill("Bytes17", &Bytes17, [17]byte{1, 2, 3}, [17]byte{})
	fill("Bytes32", &Bytes32, [32]byte{1, 2, 3}, [32]byte{})
	fill("Bytes33", &Bytes33, [33]byte{1, 2, 3}, [33]byte{})
	fill("Bytes64", &Bytes64, [64]byte{1, 2, 3}, [64]byte{})
	fill("Bytes65", &Bytes65, [65]byte{1, 2, 3}, [65]byte{})
	fill("Bytes128", &Bytes128, [128]byte{1, 2, 3}, [128]byte{})
	fill("Bytes129", &Bytes129, [129]byte{1, 2, 3}, [129]byte{})
	fill("Bytes300", &Bytes300, [300]byte{1, 2, 3, 299: 4}, [300]byte{})
}

func interfaces() {
	var nested Nested
	nested.B.D.F = 5
	fill("Anys", &Anys, nil, true, 1, int8(1), int16(1), int32(1), uint64(1), float32(1), 1.5, 0.0, 1i, complex64(2i),
		"", "text", strings.Repeat("long", 100), Text("named"), Celsius(36.6), Weekday(3), math.NaN(),
		&numbers[0], (*int)(nil), unsafe.Pointer(&numbers), make(chan int), Wrapped{&numbers[2]}, [1]*int{&numbers[3]},
		WrappedToo{P: &numbers[0]}, [1]Wrapped{{&numbers[0]}}, struct{}{}, [0]int{}, OnlyBlank{}, [3]byte{1, 2, 3},
		[8]byte{1}, [4]byte{2}, [16]byte{3}, [200]byte{4}, Label{1, "one"}, Halves{1, 2, "three"}, Padded{1, 2, 3, "four"},
		PaddedOnly{1, 2, 3}, Across{1, Label{2, "three"}, 4, struct{ X, Y int32 }{5, 6}}, Blank{A: 1, B: 2, C: 3},
		BlankFirst{N: 7}, Single{"one"}, Floats{1, 2i, 3}, Bytes{1, 2, 3, "four", [13]byte{5}},
		Held{errors.New("held"), Held{Any: [2]any{1, "b"}}, "c"}, Tail{Text: "tail"}, nested,
		Mixed{A: [3]int16{1, 2, 3}, B: [2]string{"a", "b"}, E: true}, [2]string{"a", "b"}, [5]Label{{1, "x"}},
		[2]any{Weekday(1), &numbers}, [7]float64{1}, struct{ A, B any }{1, "z"}, errors.New("as any"))
	fill("Errors", &Errors, nil, errors.New("trouble"), os.ErrNotExist)
	fill("Stringers", &Stringers, nil, Weekday(2), &Label{3, "pointer"}, Halves{1, 2, "halves"})
}

// checkpoint is where the tests stop.
//
//go:noinline
func checkpoint(trap bool) {
	if trap {
		runtime.Breakpoint()
	}
}

func main() {
	file := flag.String("truth", "", "write what is in the maps to this file")
	trap := flag.Bool("trap", false, "stop by a breakpoint instruction")
	flag.Parse()
	numbersAndTexts()
	structs()
	arrays()
	interfaces()
	truth.Write(*file, truth.Lines())
	checkpoint(*trap)
	runtime.KeepAlive(&numbers)
}
