// SPDX-License-Identifier: MIT

package truth

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Sync is a sync.Map and the record of its entries. Nothing is ever loaded from the map for the
// record: a Load counts a miss, and Range makes one of its two maps the other.
type Sync struct {
	name  string
	m     *sync.Map
	keys  []any
	vals  []any
	index map[any]int
}

// OfSync starts the record of a sync.Map; name is what a debugger calls it.
func OfSync(name string, m *sync.Map) *Sync {
	t := &Sync{name: name, m: m, index: map[any]int{}}
	all = append(all, t)
	return t
}

// Put stores an entry in the map and in the record.
func (t *Sync) Put(key, val any) *Sync {
	t.m.Store(key, val)
	t.Note(key, val)
	return t
}

// Note records an entry without storing it in the map.
func (t *Sync) Note(key, val any) {
	if i, ok := t.index[key]; ok {
		t.vals[i] = val
		return
	}
	t.index[key] = len(t.keys)
	t.keys = append(t.keys, key)
	t.vals = append(t.vals, val)
}

// Delete deletes an entry from the map and from the record.
func (t *Sync) Delete(key any) {
	t.m.Delete(key)
	t.Forget(key)
}

// Forget removes an entry from the record alone.
func (t *Sync) Forget(key any) {
	i, ok := t.index[key]
	if !ok {
		return
	}
	last := len(t.keys) - 1
	t.keys[i], t.vals[i] = t.keys[last], t.vals[last]
	t.index[t.keys[i]] = i
	t.keys, t.vals = t.keys[:last], t.vals[:last]
	delete(t.index, key)
}

// Clear empties the record; the caller clears the map.
func (t *Sync) Clear() {
	t.keys, t.vals, t.index = nil, nil, map[any]int{}
}

// Name is the name that the record was started with.
func (t *Sync) Name() string { return t.name }

// Agrees says whether the map's own Range and Load give what is recorded.
func (t *Sync) Agrees() bool {
	found := 0
	same := true
	t.m.Range(func(key, val any) bool {
		i, ok := t.index[key]
		same = same && ok && t.vals[i] == val
		found++
		return true
	})
	for i, key := range t.keys {
		val, ok := t.m.Load(key)
		same = same && ok && val == t.vals[i]
	}
	return same && found == len(t.keys)
}

// Line is the record as one line of JSON, as Map.Line is.
func (t *Sync) Line() string { return t.LineAs(t.name) }

// LineAs is Line under another name.
func (t *Sync) LineAs(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"name":%s,"address":"%p","type":"sync.Map","count":%d,"entries":[`, quote(name), t.m,
		len(t.keys))
	for i := range t.keys {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`{"key":`)
		encode(&b, reflect.ValueOf(&t.keys[i]).Elem())
		b.WriteString(`,"value":`)
		encode(&b, reflect.ValueOf(&t.vals[i]).Elem())
		b.WriteString("}")
	}
	b.WriteString("]}\n")
	return b.String()
}
