// SPDX-License-Identifier: MIT

// Package truth records what a test program puts into its maps, and writes it
// down in the JSON form that `map entries --json` uses, so that a debugger's
// view of a map can be compared with what the program knows to be in it.
//
// The record is kept beside the map and is never read back from it: ranging
// over a map sets its iterator flags and would change the very thing under
// test.
package truth

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Map is a map and the record of its entries. It works by reflection because
// the interface types satisfy `comparable` only from Go 1.20 on.
type Map struct {
	name  string
	m     reflect.Value // the map, addressable
	keys  []reflect.Value
	vals  []reflect.Value
	index map[any]int // key -> place in keys; NaN keys are never found, as in the map itself
}

// Of starts the record of the map that m points at. name is the expression by
// which a debugger names the map at the program's checkpoint. Entries that the
// map already has are not recorded.
func Of(name string, m any) *Map {
	t := &Map{name: name, m: reflect.ValueOf(m).Elem(), index: map[any]int{}}
	all = append(all, t)
	return t
}

// Put stores an entry in the map and in the record. A nil key or value is the
// zero value of its type.
func (t *Map) Put(key, val any) *Map {
	if t.m.IsNil() {
		t.m.Set(reflect.MakeMap(t.m.Type()))
	}
	t.m.SetMapIndex(of(t.m.Type().Key(), key), of(t.m.Type().Elem(), val))
	t.Note(key, val)
	return t
}

// Note records an entry without storing it in the map.
func (t *Map) Note(key, val any) {
	k, v := of(t.m.Type().Key(), key), of(t.m.Type().Elem(), val)
	if i, ok := t.index[key]; ok {
		// Go replaces the key too where equal keys can differ (0 and -0).
		t.keys[i], t.vals[i] = k, v
		return
	}
	t.index[key] = len(t.keys)
	t.keys = append(t.keys, k)
	t.vals = append(t.vals, v)
}

// Delete deletes an entry from the map and from the record.
func (t *Map) Delete(key any) {
	t.m.SetMapIndex(of(t.m.Type().Key(), key), reflect.Value{})
	t.Forget(key)
}

// Forget removes an entry from the record alone.
func (t *Map) Forget(key any) {
	i, ok := t.index[key]
	if !ok {
		return
	}
	last := len(t.keys) - 1
	t.keys[i], t.vals[i] = t.keys[last], t.vals[last]
	t.index[t.keys[i].Interface()] = i
	t.keys, t.vals = t.keys[:last], t.vals[:last]
	delete(t.index, key)
}

// Clear empties the record; the caller clears the map.
func (t *Map) Clear() {
	t.keys, t.vals, t.index = nil, nil, map[any]int{}
}

// Name is the name that the record was started with.
func (t *Map) Name() string { return t.name }

// Len is the number of recorded entries.
func (t *Map) Len() int { return len(t.keys) }

// Header is the map's header; nil when the map is nil.
func (t *Map) Header() *Header {
	return *(**Header)(t.m.Addr().UnsafePointer())
}

// Migrating says whether the map is between the start and the end of a growth.
func (t *Map) Migrating() bool {
	h := t.Header()
	return h != nil && h.Oldbuckets != nil
}

// of is a new variable of type t that holds v.
func of(t reflect.Type, v any) reflect.Value {
	variable := reflect.New(t).Elem()
	if v != nil {
		variable.Set(reflect.ValueOf(v))
	}
	return variable
}

// Line is the record as one line of JSON: name, address (of the hmap), type,
// count, migrating, entries.
func (t *Map) Line() string { return t.LineAs(t.name) }

// LineAs is Line under another name.
func (t *Map) LineAs(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"name":%s,"address":%s,"type":%s,"count":%d,"migrating":%v,"entries":[`, quote(name),
		address(t.m.Pointer()), quote(t.m.Type().String()), len(t.keys), t.Migrating())
	for i := range t.keys {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(`{"key":`)
		encode(&b, t.keys[i])
		b.WriteString(`,"value":`)
		encode(&b, t.vals[i])
		b.WriteString("}")
	}
	b.WriteString("]}")
	return strings.ReplaceAll(b.String(), "\n", "") + "\n"
}

type record interface{ Line() string }

var all []record

// Lines is the record of every map, one line each.
func Lines() string {
	var b strings.Builder
	for _, r := range all {
		b.WriteString(r.Line())
	}
	return b.String()
}

// Write writes text to the file at path, whole or not at all: who waits for
// the file to appear never sees a part of it.
func Write(path, text string) {
	if path == "" {
		return
	}
	part := path + ".part"
	if err := os.WriteFile(part, []byte(text), 0o644); err != nil {
		panic(err)
	}
	if err := os.Rename(part, path); err != nil {
		panic(err)
	}
}

// Header is the start of runtime.hmap as in Go 1.17 to 1.23 (runtime/map.go).
type Header struct {
	Count      int
	Flags      uint8
	B          uint8
	Noverflow  uint16
	Hash0      uint32
	Buckets    unsafe.Pointer
	Oldbuckets unsafe.Pointer
	Nevacuate  uintptr
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func address(p uintptr) string {
	if p == 0 {
		return "null"
	}
	return fmt.Sprintf(`"%#x"`, p)
}

func float(f float64) string {
	switch {
	case math.IsNaN(f):
		return `"NaN"`
	case math.IsInf(f, 1):
		return `"Infinity"`
	case math.IsInf(f, -1):
		return `"-Infinity"`
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// encode appends v as `map entries --json` shows such a value. Fields named _
// are left out: no program can read them.
func encode(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		fmt.Fprintf(b, "%v", v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprintf(b, "%d", v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		fmt.Fprintf(b, "%d", v.Uint())
	case reflect.Float32, reflect.Float64:
		b.WriteString(float(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		fmt.Fprintf(b, `{"re":%s,"im":%s}`, float(real(c)), float(imag(c)))
	case reflect.String:
		if s := v.String(); utf8.ValidString(s) {
			b.WriteString(quote(s))
		} else {
			fmt.Fprintf(b, `{"bytes":"%s"}`, hex.EncodeToString([]byte(s)))
		}
	case reflect.Func:
		// The word that a func value is: the address of its closure.
		b.WriteString(address(*(*uintptr)(v.Addr().UnsafePointer())))
	case reflect.Pointer, reflect.Chan, reflect.UnsafePointer:
		b.WriteString(address(v.Pointer()))
	case reflect.Map:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		fmt.Fprintf(b, `{"map":%s,"address":%s,"count":%d}`, quote(v.Type().String()), address(v.Pointer()), v.Len())
	case reflect.Interface:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		dynamic := v.Elem()
		copied := reflect.New(dynamic.Type()).Elem() // addressable
		copied.Set(dynamic)
		fmt.Fprintf(b, `{"type":%s,"value":`, quote(dynamic.Type().String()))
		encode(b, copied)
		b.WriteString("}")
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			b.WriteString("null")
			return
		}
		b.WriteString("[")
		for i := 0; i < v.Len(); i++ {
			if i > 0 {
				b.WriteString(",")
			}
			encode(b, v.Index(i))
		}
		b.WriteString("]")
	case reflect.Struct:
		b.WriteString("{")
		separator := ""
		for i := 0; i < v.NumField(); i++ {
			if v.Type().Field(i).Name == "_" {
				continue
			}
			b.WriteString(separator + quote(v.Type().Field(i).Name) + ":")
			encode(b, v.Field(i))
			separator = ","
		}
		b.WriteString("}")
	default:
		panic("no JSON form for " + v.Type().String())
	}
}
