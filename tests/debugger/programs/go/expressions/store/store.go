// SPDX-License-Identifier: MIT

// Package store is reached by its import path, and by its last part.
package store

// Table is a map that another package names.
var Table = map[string]int{"in the store": 1}

// Shelf has an unexported map.
type Shelf struct{ hidden map[string]int }

// Shelves are reached by an import path with steps behind it.
var Shelves = []*Shelf{{map[string]int{"shelf": 0}}, {map[string]int{"shelf": 1}}}

// Hidden is the map of a shelf.
func Hidden(n int) map[string]int { return Shelves[n].hidden }
