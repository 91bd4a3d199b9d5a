// SPDX-License-Identifier: MIT

// expressions names maps in every way that Go has, and writes to the file of its argument what
// each expression is, a line: the number of the checkpoint from whose caller it is meant, the
// expression, and the only entry of the map, as JSON; or "!" and what a refusal must say.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"programs/expressions/store"
)

type Place struct {
	X, Y int
}

type Key string

type Attributes struct {
	Attrs map[string]int
	next  *Attributes
}

type Shard struct {
	items map[string]*Attributes
	byPos map[Place]map[string]int
}

type Base struct {
	Deep map[string]int
	Same map[string]int
}

type Middle struct {
	*Base
	Same map[string]int
}

type Server struct {
	Middle
	shards []Shard
	fixed  [3]map[int]string
	byAny  map[interface{}]map[string]int
	byKey  map[Key]map[string]int
	byBool map[bool]map[string]int
	byReal map[float64]map[string]int
	byRune map[rune]map[string]int
	byArr  map[[2]int]map[string]int
	byByte map[uint8]*map[string]int
	values map[string]Shard
	nilMap map[string]map[string]int
	nobody *Server
	Config Base
}

type Holder interface{ Hold() }

func (s *Server) Hold() {}

func one(text string, n int) map[string]int { return map[string]int{text: n} }

var (
	Plain   = one("plain", 1)
	ByInt   = map[int]map[string]int{-1: one("minus", 1), 1: one("one", 1), 2: one("two", 2)}
	Nested  = map[string]map[string]map[string]int{"a": {"b": one("nested", 3)}}
	Many    = map[int]map[string]int{}
	Serving = &Server{
		Middle: Middle{&Base{one("deep", 4), one("deeper", 5)}, one("same", 6)},
		shards: []Shard{{}, {}, {}, {
			items: map[string]*Attributes{"k": {one("attrs", 7), &Attributes{one("next", 8), nil}}, "none": nil},
			byPos: map[Place]map[string]int{{1, 2}: one("place", 9)},
		}},
		fixed:  [3]map[int]string{{1: "first"}, {2: "second"}, nil},
		byAny:  map[interface{}]map[string]int{"text": one("any text", 10), 7: one("any number", 11)},
		byKey:  map[Key]map[string]int{"key": one("named key", 12), "a]b.c": one("brackets", 13), "é\"": one("escapes", 14)},
		byBool: map[bool]map[string]int{true: one("true", 15)},
		byReal: map[float64]map[string]int{1.5: one("real", 16)},
		byRune: map[rune]map[string]int{'x': one("rune", 17)},
		byArr:  map[[2]int]map[string]int{{3, 4}: one("array", 18)},
		byByte: map[uint8]*map[string]int{255: &Plain},
		values: map[string]Shard{"v": {byPos: map[Place]map[string]int{{5, 6}: one("value", 19)}}},
		Config: Base{one("config", 20), nil},
	}
	Pointer             = &Plain
	Any     interface{} = one("any", 21)
	Held    Holder      = Serving
	Number  interface{} = 7
	None    interface{}
	Slices  = [][]map[string]int{{one("s00", 0), one("s01", 1)}, {one("s10", 10), one("s11", 11), one("s12", 12)}}
	Array   = &[2]map[string]int{one("a0", 0), one("a1", 1)}
	One     = 1
	Word    = "a"
	Spot    = Place{1, 2}
	Func    func() int
)

var (
	account *os.File
	scene   int
)

// is says what the map is that an expression names; all of them have one entry.
func is[K comparable, V any](expression string, m map[K]V) {
	for key, value := range m {
		k, _ := json.Marshal(key)
		v, _ := json.Marshal(value)
		fmt.Fprintf(account, "%d\t%s\t{\"key\": %s, \"value\": %s}\n", scene, expression, k, v)
	}
}

// not says what the refusal of an expression must hold.
func not(expression, refusal string) {
	fmt.Fprintf(account, "%d\t%s\t!%s\n", scene, expression, refusal)
}

//go:noinline
func checkpoint() {}

//go:noinline
func shadows(m map[string]int, s *Server) {
	scene++
	inner := one("outer", 1)
	{
		inner := one("inner", 2)
		Plain := one("local", 3)
		is("inner", inner)
		is("Plain", Plain)
		is("main.Plain", map[string]int{"plain": 1})
		is("m", m)
		is("&m", m)
		is("s.Deep", s.Deep)
		is("s.shards[3].items[\"k\"].Attrs", s.shards[3].items["k"].Attrs)
		not("s.nobody.Deep", "nil pointer: s.nobody")
		not("nowhere", "no symbol \"nowhere\" in this program")
		checkpoint()
	}
	scene++
	is("inner", inner)
	is("Plain", Plain)
	checkpoint()
	early := one("early", 1)
	{
		scene++
		is("early", early)
		checkpoint()
		early := one("late", 2)
		scene++
		is("early", early)
		checkpoint()
	}
}

//go:noinline
func closures(n int) {
	escaped := one("first", n)
	kept := one("kept", n)
	f := func() int {
		escaped = one("escaped", n)
		scene++
		is("escaped", escaped)
		is("kept", kept)
		checkpoint()
		return len(escaped) + len(kept)
	}
	f()
	Func = f
	scene++
	is("escaped", escaped)
	is("&escaped", escaped)
	checkpoint()
}

type cache[K comparable, V any] struct{ items map[K]V }

//go:noinline
func (c *cache[K, V]) put(m map[K]V, key K) int {
	scene++
	local := map[K]V{key: m[key]}
	is("m", m)
	is("local", local)
	is("c.items", c.items)
	checkpoint()
	return len(local)
}

func globals() {
	scene++
	is("main.Plain", Plain)
	is("Plain", Plain)
	is("*main.Plain", Plain)
	is("&main.Plain", Plain)
	is("(main.Plain)", Plain)
	is("(*(&main.Plain))", Plain)
	is("main.ByInt[1]", ByInt[1])
	is("main.ByInt[-1]", ByInt[-1])
	is("main.ByInt[0x2]", ByInt[2])
	is("main.ByInt[ 2 ]", ByInt[2])
	is("main.ByInt[main.One]", ByInt[One])
	is("main.Nested[\"a\"][\"b\"]", Nested["a"]["b"])
	is("main.Nested[Word][\"b\"]", Nested[Word]["b"])
	is("main.Many[777]", Many[777])
	is("main.Serving.Deep", Serving.Deep)
	is("main.Serving.Same", Serving.Same)
	is("main.Serving.Base.Same", Serving.Base.Same)
	is("main.Serving.Middle.Base.Deep", Serving.Middle.Base.Deep)
	is("(*main.Serving).Middle.Same", (*Serving).Middle.Same)
	is("main.Serving.Config.Deep", Serving.Config.Deep)
	is("main.Serving.shards[3].items[\"k\"].Attrs", Serving.shards[3].items["k"].Attrs)
	is("main.Serving.shards[3].items[\"k\"].next.Attrs", Serving.shards[3].items["k"].next.Attrs)
	is("main.Serving.shards[3].byPos[main.Place{1, 2}]", Serving.shards[3].byPos[Place{1, 2}])
	is("main.Serving.shards[3].byPos[Place{Y: 2, X: 1}]", Serving.shards[3].byPos[Place{1, 2}])
	is("main.Serving.shards[3].byPos[{\"X\":1,\"Y\":2}]", Serving.shards[3].byPos[Place{1, 2}])
	is("main.Serving.shards[3].byPos[main.Spot]", Serving.shards[3].byPos[Spot])
	is("main.Serving.shards[1:][2].byPos[Spot]", Serving.shards[1:][2].byPos[Spot])
	is("main.Serving.fixed[0]", Serving.fixed[0])
	is("main.Serving.fixed[main.One]", Serving.fixed[One])
	is("main.Serving.fixed[1:3][0]", Serving.fixed[1:3][0])
	is("main.Serving.byAny[\"text\"]", Serving.byAny["text"])
	is("main.Serving.byAny[7]", Serving.byAny[7])
	is("main.Serving.byKey[\"key\"]", Serving.byKey["key"])
	is("main.Serving.byKey[\"a]b.c\"]", Serving.byKey["a]b.c"])
	is("main.Serving.byKey[\"\\u00e9\\\"\"]", Serving.byKey["é\""])
	is("main.Serving.byKey[\"\\xc3\\xa9\\x22\"]", Serving.byKey["é\""])
	is("main.Serving.byBool[true]", Serving.byBool[true])
	is("main.Serving.byReal[1.5]", Serving.byReal[1.5])
	is("main.Serving.byRune['x']", Serving.byRune['x'])
	is("main.Serving.byArr[[2]int{3, 4}]", Serving.byArr[[2]int{3, 4}])
	is("main.Serving.byArr[[3,4]]", Serving.byArr[[2]int{3, 4}])
	is("main.Serving.byByte[255]", *Serving.byByte[255])
	is("*main.Serving.byByte[uint8(255)]", *Serving.byByte[255])
	is("main.Serving.values[\"v\"].byPos[Place{5, 6}]", Serving.values["v"].byPos[Place{5, 6}])
	is("main.Pointer", *Pointer)
	is("*main.Pointer", *Pointer)
	is("(*main.Pointer)", *Pointer)
	is("main.Any", Plain21())
	is("main.Any.(map[string]int)", Plain21())
	is("main.Held.Deep", Held.(*Server).Deep)
	is("main.Held.(*main.Server).Deep", Serving.Deep)
	is("main.Slices[1][2]", Slices[1][2])
	is("main.Slices[0:1][0][1]", Slices[0:1][0][1])
	is("main.Slices[1][1:][1]", Slices[1][1:][1])
	is("main.Array[1]", Array[1])
	is("(*main.Array)[0]", (*Array)[0])
	is("map[string]int(main.Plain)", Plain)
	is("(map[string]int)(main.Plain)", Plain)
	is("(*main.Server)(main.Serving).Deep", Serving.Deep)
	is(fmt.Sprintf("(*main.Server)(%p).Deep", Serving), Serving.Deep)
	is(fmt.Sprintf("(**map[string]int)(%p)", &Pointer), Plain)
	is("programs/expressions/store.Table", store.Table)
	is("&programs/expressions/store.Table", store.Table)
	is("store.Table", store.Table)
	is("store.Shelves[1].hidden", store.Hidden(1))
	is("programs/expressions/store.Shelves[0].hidden", store.Hidden(0))

	not("main.Nope", "no symbol \"main.Nope\" in this program")
	not("main.Plian", "did you mean main.Plain?")
	not("main.Nope[1]", "no symbol \"main.Nope\" in this program")
	not("(main.Nope)", "no symbol \"main.Nope\" in this program")
	not("&main.Nope.M", "no symbol \"main.Nope\" in this program")
	not("nopackage.Table", "no symbol \"nopackage.Table\" in this program; did you mean programs/expressions/store.Table?")
	not("main.ByInt[7]", "main.ByInt has no key 7")
	not("main.ByInt[7][\"x\"]", "main.ByInt has no key 7")
	not("main.ByInt[\"x\"]", "is no key of type int")
	not("main.ByInt[1][\"one\"]", "main.ByInt[1][\"one\"]: no map there")
	not("main.Nested[a]", "a text is written with its quotes")
	not("main.Nested[1]", "1 is no key of type string")
	not("main.ByInt+1", "computes nothing")
	not("main.One*2", "computes nothing")
	not("main.ByInt[1", "no closing ]")
	not("main.Slices[5]", "index 5 of 2")
	not("main.Slices[-1]", "index -1 of 2")
	not("main.Slices[1:9]", "[1:9] of 2")
	not("main.Slices[0][2]", "index 2 of 2")
	not("main.Array[2]", "index 2 of 2")
	not("main.Serving.fixed[3]", "index 3 of 3")
	not("main.Serving.nobody.Deep", "nil pointer: main.Serving.nobody")
	not("main.Serving.shards[3].items[\"none\"].Attrs", "nil pointer: main.Serving.shards[3].items[\"none\"]")
	not("main.Serving.nilMap[\"x\"]", "main.Serving.nilMap has no key \"x\": it is nil")
	not("main.Serving.Dep", "which has no field Dep; it has")
	not("main.Serving.shards.items", "which has no field items")
	not("main.Serving", "main.Serving is no map but a *main.Server; its maps: .byAny")
	not("main.Plain.x", "main.Plain is a map[string]int, which has no field x")
	not("main.One", "no map there")
	not("main.Number", "main.Number is not a map")
	not("main.Number.(string)", "main.Number holds a int, not a string")
	not("main.None.(string)", "main.None is a nil interface {}")
	not("main.None[1]", "main.None is a nil interface {}")
	not("main.Plain.(string)", "main.Plain is a map[string]int, no interface")
	not("main.globals()", "is a call, and nothing is called")
	not("main.one(1, 2)", "is a call, and nothing is called")
	not("main.Func()", "is a call, and nothing is called")
	not("map[string]int(main.ByInt)", "main.ByInt is a map[int]map[string]int, no map[string]int")
	not("(*main.Server)(0).Deep", "nil pointer: (*main.Server)(0)")
	not("(*main.Sever)(main.Serving)", "no type main.Sever in this program")
	not("main.Serving->Deep", "Go writes a field behind a pointer as p.x")
	not("*main.One", "main.One is a int, no pointer")
	not("main.Word[0]", "no map there")
	not("main.Word[1]", "index 1 of 1")
	checkpoint()
}

// Plain21 is what Any holds.
func Plain21() map[string]int { return Any.(map[string]int) }

func main() {
	account, _ = os.Create(os.Args[1])
	for i := 0; i < 1000; i++ {
		Many[i] = one("many", i)
	}
	Slices[1] = Slices[1][:3:3]
	shadows(one("parameter", 1), Serving)
	closures(5)
	c := &cache[string, int]{one("items", 1)}
	c.put(one("generic", 2), "generic")
	d := &cache[int, *Place]{map[int]*Place{1: {1, 2}}}
	d.put(map[int]*Place{1: {1, 2}}, 1)
	globals()
	fmt.Fprintln(account, "# used to the end:", Number, None)
}
