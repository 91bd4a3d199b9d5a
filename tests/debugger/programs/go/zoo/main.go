// SPDX-License-Identifier: MIT

// zoo holds Go maps of every sort and stops at checkpoint.
//
//	zoo [--truth FILE] [--trap | --wait SECONDS]
//
// --truth writes what is in the maps, one line of JSON for each (package
// truth). --trap stops by a breakpoint instruction of the program's own, for
// builds that have no symbols. --wait sleeps at the checkpoint, for debuggers
// that attach.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"programs/truth"
)

type (
	Point  struct{ X, Y int32 }
	Padded struct {
		A int8
		B int64
		C int16
	}
	Nested struct {
		Name  string
		Where Point
		Tags  [2]string
		Inner struct{ Deep Padded }
	}
	Blank struct {
		A int32
		_ int32
		B int8
		_ [3]int8
	}
	Embedded struct {
		Point
		Weight float64
	}
	Celsius float64
	Weekday int8
	Name    string
	Node    struct {
		Label    string
		Children map[string]*Node
	}
	Pair[A, B any] struct {
		First  A
		Second B
	}
	Holder struct {
		Before int
		Table  map[string]int
		After  int
	}
	Big [200]byte
	Tag struct{}
)

// String makes Weekday a Stringer.
func (w Weekday) String() string { return "day " + strconv.Itoa(int(w)) }

// Stringer's maps have keys of an interface that has methods.
type Stringer interface{ String() string }

var (
	Nil           map[string]int
	Empty         = map[string]int{}
	Hinted        = make(map[int]int, 100)
	One           map[string]int
	Eight         map[int]int
	Chains        map[uint64]uint64
	Doubling      map[string]int
	DoublingPlain map[int64]int64
	SameSize      map[string]int
	SameSizePlain map[uint32]uint32
	Deleted       map[int]string
	DeletedText   map[string]string
	Emptied       map[int]int
	Cleared       map[int]int
	ClearedGrow   map[string]int
	Iterated      map[int]int

	Int8       map[int8]int8
	Int16      map[int16]int16
	Int32      map[int32]int32
	Int64      map[int64]int64
	Int        map[int]int
	Uint8      map[uint8]uint8
	Uint16     map[uint16]uint16
	Uint32     map[uint32]uint32
	Uint64     map[uint64]uint64
	Uint       map[uint]uint
	Uintptr    map[uintptr]uintptr
	Bool       map[bool]bool
	Rune       map[rune]string
	Float32    map[float32]float32
	Float64    map[float64]float64
	Complex64  map[complex64]complex64
	Complex128 map[complex128]complex128
	Text       map[string]string
	Pointers   map[*int]*int
	Array      map[[3]int16][2]string
	NoArray    map[[0]int]int
	Structs    map[Nested]Nested
	Paddeds    map[Padded]Padded
	Blanks     map[Blank]Blank
	Embeddeds  map[Embedded]Embedded
	Any        map[any]any
	Errors     map[error]error
	Stringers  map[Stringer]int
	Chans      map[chan int]chan string
	BigKeys    map[Big]int
	BigValues  map[int]Big
	BigBoth    map[Big]Big
	Bytes128   map[[128]byte][128]byte
	Bytes129   map[[129]byte][129]byte
	Set        map[string]struct{}
	Tags       map[Tag]int
	Maps       map[string]map[int]string
	Slices     map[string][]int
	ByteSlices map[int][]byte
	Funcs      map[string]func(int) int
	StructPtrs map[int]*Nested
	Named      map[Name]Celsius
	Days       map[Weekday]bool
	Nodes      map[string]*Node
	Generic    map[Pair[int, string]]Pair[bool, []string]
	Durations  map[time.Duration]time.Duration
	Anonymous  map[struct{ A, B int }]struct{ C string }

	Held       Holder
	HeldPtr    *Holder
	MapPtr     *map[string]int
	MapArray   [2]map[int]int
	MapSlice   []map[int]int
	MapOfPairs map[string]Pair[map[int]int, *map[int]int]
)

// fill records the map that m points at and puts pairs of key and value into it.
func fill(name string, m any, pairs ...any) *truth.Map {
	t := truth.Of(name, m)
	for i := 0; i < len(pairs); i += 2 {
		t.Put(pairs[i], pairs[i+1])
	}
	return t
}

func text(i int) any { return "key " + strconv.Itoa(i) }

// growth fills the map until a doubling from 2^b buckets is under way and
// about a third of the old buckets have been evacuated.
func growth(t *truth.Map, b uint8, key, val func(int) any) {
	started := false
	for i := 0; i < most; i++ {
		t.Put(key(i), val(i))
		h := t.Header()
		if h.Oldbuckets != nil && h.B == b+1 {
			started = true
		}
		if started && (h.Oldbuckets == nil || h.Nevacuate >= 1<<b/3) {
			return
		}
	}
}

// most is where growth and churn give up: a Swiss map (Go 1.24) does not grow so.
var most = func() int {
	var minor int
	fmt.Sscanf(runtime.Version(), "go1.%d", &minor)
	if minor >= 24 {
		return 5000
	}
	return 1 << 20
}()

// churn deletes and inserts until a growth of the same size is under way and
// about half of the old buckets have been evacuated.
func churn(t *truth.Map, size int, key, val func(int) any) {
	next := 0
	for ; next < size; next++ {
		t.Put(key(next), val(next))
	}
	for oldest := 0; next < most; oldest++ {
		t.Delete(key(oldest))
		t.Put(key(next), val(next))
		next++
		h := t.Header()
		if h.Oldbuckets != nil && h.Flags&8 != 0 && h.Nevacuate >= 1<<h.B/2 {
			return
		}
	}
}

func states() {
	truth.Of("main.Nil", &Nil)
	truth.Of("main.Empty", &Empty)
	truth.Of("main.Hinted", &Hinted)
	fill("main.One", &One, "only", 1)
	eight := truth.Of("main.Eight", &Eight)
	for i := 0; i < 8; i++ {
		eight.Put(i, i*i)
	}
	chains := truth.Of("main.Chains", &Chains)
	for i := uint64(0); i < 416; i++ { // the most that 64 buckets take
		chains.Put(i*i*i, math.MaxUint64-i)
	}
	growth(truth.Of("main.Doubling", &Doubling), 5, text, func(i int) any { return -i })
	growth(truth.Of("main.DoublingPlain", &DoublingPlain), 6,
		func(i int) any { return int64(-i) << 33 }, func(i int) any { return int64(i) })
	churn(truth.Of("main.SameSize", &SameSize), 800, text, func(i int) any { return i })
	churn(truth.Of("main.SameSizePlain", &SameSizePlain), 400,
		func(i int) any { return uint32(i) * 2654435761 }, func(i int) any { return uint32(i) })

	deleted := truth.Of("main.Deleted", &Deleted)
	deletedText := truth.Of("main.DeletedText", &DeletedText)
	emptied := truth.Of("main.Emptied", &Emptied)
	cleared := truth.Of("main.Cleared", &Cleared)
	for i := 0; i < 100; i++ {
		deleted.Put(i, text(i))
		deletedText.Put(text(i), text(-i))
		emptied.Put(i, i)
		cleared.Put(i, i)
	}
	for i := 0; i < 100; i++ {
		if i%3 != 0 {
			deleted.Delete(i)
			deletedText.Delete(text(i))
		}
		emptied.Delete(i)
	}
	for k := range Cleared {
		delete(Cleared, k)
	}
	cleared.Clear()
	clearedGrow := truth.Of("main.ClearedGrow", &ClearedGrow)
	growth(clearedGrow, 5, text, func(i int) any { return i })
	for k := range ClearedGrow {
		delete(ClearedGrow, k)
	}
	clearedGrow.Clear()
	clearedGrow.Put("after", 1)

	iterated := truth.Of("main.Iterated", &Iterated)
	growth(iterated, 3, func(i int) any { return i }, func(i int) any { return i })
	for range Iterated { // the flags stay set
		break
	}
}

var numbers [3]int

var texts = []string{
	"", "plain", "a\x00b", "\x00", "\xff\xfe", "caf\xe9", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "two\nlines\r\n",
	"tab\t", `"quoted"`, `'single'`, `back\slash`, "naïve café", "日本語", "🙂", "\u202eright to left", "\u0085\u009b31m",
	"\x7f", "<b>&amp;</b>", "%s%n$(id)`id`", "trailing ", " leading", "\ufeffbom", "\ufffd", "\xed\xa0\x80",
}

func kinds() {
	fill("main.Int8", &Int8, int8(-128), int8(127), int8(-1), int8(0), int8(127), int8(-128))
	fill("main.Int16", &Int16, int16(-32768), int16(32767), int16(-1), int16(0))
	fill("main.Int32", &Int32, int32(math.MinInt32), int32(math.MaxInt32), int32(-1), int32(0))
	fill("main.Int64", &Int64, int64(math.MinInt64), int64(math.MaxInt64), int64(-1), int64(0))
	fill("main.Int", &Int, math.MinInt, math.MaxInt, -1, 0)
	fill("main.Uint8", &Uint8, uint8(0), uint8(255), uint8(255), uint8(0))
	fill("main.Uint16", &Uint16, uint16(0), uint16(65535), uint16(65535), uint16(0))
	fill("main.Uint32", &Uint32, uint32(0), uint32(math.MaxUint32), uint32(math.MaxUint32), uint32(0))
	fill("main.Uint64", &Uint64, uint64(1<<63), uint64(1<<63-1), uint64(math.MaxUint64), uint64(0))
	fill("main.Uint", &Uint, uint(math.MaxUint), uint(1<<63+1))
	fill("main.Uintptr", &Uintptr, ^uintptr(0), uintptr(0), uintptr(0), uintptr(1))
	fill("main.Bool", &Bool, false, true, true, false)
	fill("main.Rune", &Rune, 'a', "a", '日', "日", rune(-1), "none")
	negativeZero := math.Copysign(0, -1)
	fill("main.Float32", &Float32, float32(0.1), float32(-0.1), float32(negativeZero), float32(math.Inf(-1)),
		float32(math.Inf(1)), float32(math.NaN()), float32(math.NaN()), float32(math.MaxFloat32),
		float32(math.SmallestNonzeroFloat32), float32(16777216))
	fill("main.Float64", &Float64, 0.1, -0.1, 0.0, 1.0, negativeZero, negativeZero, math.Inf(1), math.Inf(-1),
		math.NaN(), 1.0, math.NaN(), 2.0, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e100, 123456789.0)
	fill("main.Complex64", &Complex64, complex64(complex(0.5, -2)), complex64(complex(math.Inf(1), math.NaN())))
	fill("main.Complex128", &Complex128, complex(0.1, negativeZero), complex(math.NaN(), math.Inf(-1)), complex(1, 0), 2i)
	strs := truth.Of("main.Text", &Text)
	for i, s := range texts {
		strs.Put(s, texts[len(texts)-1-i])
	}
	strs.Put(strings.Repeat("long ", 20000), strings.Repeat("\x00", 100000))
	fill("main.Pointers", &Pointers, &numbers[0], &numbers[1], (*int)(nil), (*int)(nil), &numbers[2], &numbers[2])
	fill("main.Array", &Array, [3]int16{1, -2, 3}, [2]string{"a", ""}, [3]int16{}, [2]string{})
	fill("main.NoArray", &NoArray, [0]int{}, 7)
	nested := Nested{Name: "n\x00\x1b[1m", Where: Point{-1, 2}, Tags: [2]string{"x", "y"}}
	nested.Inner.Deep = Padded{-1, math.MinInt64, 300}
	fill("main.Structs", &Structs, nested, Nested{}, Nested{}, nested)
	fill("main.Paddeds", &Paddeds, Padded{1, 2, 3}, Padded{-1, -2, -3}, Padded{}, Padded{127, math.MaxInt64, -32768})
	fill("main.Blanks", &Blanks, Blank{A: 1, B: 2}, Blank{A: 3, B: 4}, Blank{}, Blank{A: -1, B: -1})
	fill("main.Embeddeds", &Embeddeds, Embedded{Point{1, 2}, 0.5}, Embedded{Point{3, 4}, -1})
	fill("main.Any", &Any, 1, "one", "one", 1, 1.5, []int{1, 2}, int8(-3), &numbers[0], true, nil, nil, 'x',
		Point{5, 6}, Point{7, 8}, &numbers[1], map[int]bool{1: true}, [2]any{1, "in"}, Weekday(3), uint64(math.MaxUint64),
		struct{}{}, Name("named"), Celsius(36.6), math.NaN(), errors.New("trouble"), Big{1, 2, 3}, Big{4, 5},
		error(os.ErrNotExist), func() {}, [1]*int{&numbers[2]}, struct{ P *int }{&numbers[0]},
		make(chan int), [1]any{1})
	fill("main.Errors", &Errors, os.ErrNotExist, errors.New("plain"), nil, nil, error(&os.PathError{Op: "open", Path: "/", Err: os.ErrInvalid}), os.ErrExist)
	fill("main.Stringers", &Stringers, Weekday(1), 1, time.Second, 2, nil, 3)
	fill("main.Chans", &Chans, make(chan int), make(chan string, 3), (chan int)(nil), (chan string)(nil))
	fill("main.BigKeys", &BigKeys, Big{1}, 1, Big{199: 2}, 2, Big{}, 0)
	fill("main.BigValues", &BigValues, 1, Big{1}, 2, Big{199: 255})
	fill("main.BigBoth", &BigBoth, Big{1}, Big{2}, Big{3}, Big{4})
	fill("main.Bytes128", &Bytes128, [128]byte{127: 1}, [128]byte{1}, [128]byte{}, [128]byte{127: 2})
	fill("main.Bytes129", &Bytes129, [129]byte{128: 1}, [129]byte{1}, [129]byte{}, [129]byte{128: 2})
	fill("main.Set", &Set, "a", struct{}{}, "b", struct{}{}, "", struct{}{})
	fill("main.Tags", &Tags, Tag{}, 42)
	fill("main.Maps", &Maps, "nil", map[int]string(nil), "empty", map[int]string{}, "two", map[int]string{1: "a", 2: "b"})
	fill("main.Slices", &Slices, "nil", []int(nil), "empty", []int{}, "some", []int{1, -2, 3}, "part", make([]int, 2, 10))
	fill("main.ByteSlices", &ByteSlices, 1, []byte("bytes\xff"), 2, []byte{})
	factor := len(os.Args)
	fill("main.Funcs", &Funcs, "nil", (func(int) int)(nil), "plain", double, "closure", func(i int) int { return i * factor })
	fill("main.StructPtrs", &StructPtrs, 1, &nested, 2, (*Nested)(nil))
	fill("main.Named", &Named, Name("boiling"), Celsius(100), Name(""), Celsius(-273.15))
	fill("main.Days", &Days, Weekday(0), true, Weekday(-1), false)
	root := &Node{Label: "root", Children: map[string]*Node{}}
	root.Children["self"] = root
	fill("main.Nodes", &Nodes, "root", root, "leaf", &Node{Label: "leaf"})
	fill("main.Generic", &Generic, Pair[int, string]{1, "one"}, Pair[bool, []string]{true, []string{"x", "\x1b"}})
	fill("main.Durations", &Durations, time.Second, time.Hour, -time.Nanosecond, time.Duration(0))
	fill("main.Anonymous", &Anonymous, struct{ A, B int }{1, 2}, struct{ C string }{"three"})
}

func double(i int) int { return 2 * i }

func places() {
	HeldPtr = &Holder{Before: 1, After: 2}
	MapPtr = &HeldPtr.Table
	fill("main.Held.Table", &Held.Table, "in a struct", 1)
	held := fill("main.HeldPtr.Table", &HeldPtr.Table, "through a pointer", 2)
	pointer := aliased{func() string { return held.LineAs("main.MapPtr") }}
	lines = append(lines, pointer)
	fill("main.MapArray[1]", &MapArray[1], 1, 10)
	MapSlice = make([]map[int]int, 3)
	fill("main.MapSlice.array[2]", &MapSlice[2], 2, 20)
	fill("main.MapOfPairs", &MapOfPairs, "both", Pair[map[int]int, *map[int]int]{MapArray[1], &MapArray[1]})
}

// aliased is a second name for a map that is recorded already.
type aliased struct{ line func() string }

var lines []aliased

// checkpoint is where the tests stop.
//
//go:noinline
func checkpoint(trap bool, wait time.Duration) {
	if trap {
		runtime.Breakpoint()
	}
	if wait > 0 {
		time.Sleep(wait)
	}
}

var sink int

// locals stops with maps in local variables and arguments, while it ranges
// over one of them.
//
//go:noinline
func locals(argument map[string]int, pointer *map[string]int, stop func(names ...string)) {
	var none map[int]int
	small := map[int]int{1: 10, 2: 20} // does not escape: lies on the stack
	captured := map[string]int{"captured": 1}
	holder := Holder{Table: captured}
	use := func() { captured["by a closure"] = 2 }
	use()
	ranged := Doubling
	for key, value := range ranged {
		stop()
		sink += len(key) + value + len(none) + len(small) + len(holder.Table) + len(argument) + len(*pointer)
		break
	}
	for key := range small { // keeps it in use after the stop
		sink += key
	}
}

func main() {
	path := flag.String("truth", "", "write the maps' entries to this file")
	trap := flag.Bool("trap", false, "stop by a breakpoint instruction")
	wait := flag.Duration("wait", 0, "sleep this long at the checkpoint")
	flag.Parse()
	states()
	kinds()
	places()
	text := truth.Lines()
	for _, l := range lines {
		text += l.line()
	}
	locals(One, &HeldPtr.Table, func(...string) {
		truth.Write(*path, text)
		checkpoint(*trap, *wait)
	})
	fmt.Println("done", sink != 0)
}
