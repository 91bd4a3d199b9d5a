// SPDX-License-Identifier: MIT

// Host opens a plugin, which has types, maps and generic functions that it has not.
package main

import (
	"os"
	"plugin"
)

type ticket struct{ Number int }

var (
	Tickets = map[string]ticket{"host": {1}}
	Held    interface{}
)

//go:noinline
func checkpoint() {}

func main() {
	opened, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	found, err := opened.Lookup("Fill")
	if err != nil {
		panic(err)
	}
	checkpoint()
	Held = found.(func(map[string]int) interface{})(map[string]int{"of the host": 1})
	checkpoint()
}
