// SPDX-License-Identifier: MIT

// maps fills a map of its own kind for run.py, stops at checkpoint, and fills it on.
//
//	maps KIND ENTRIES TRUTH
//
// KIND is what else happens to the map before the checkpoint: "filled" is nothing, "ranged"
// loops over it once, "deleted" takes every tenth entry out again.
//
// TRUTH receives what the map must hold, one JSON object per line; it is written from what was
// inserted, never read from the map. Behind the checkpoint each insertion adds its line once
// it is done, so that the file is right wherever a debugger stops.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// most is the last entry: by then all tables of a Swiss map have split often enough.
const most = 120_000

var table = make(map[string]int)

// checkpoint is where a debugger stops first.
//
//go:noinline
func checkpoint() int { return len(table) }

//go:noinline
func add(i int) { table[key(i)] = i }

func key(i int) string { return fmt.Sprintf("session-%06d", i) }

func line(i int) string { return fmt.Sprintf("{\"key\": %q, \"value\": %d}\n", key(i), i) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "maps:", err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 4 {
		check(fmt.Errorf("usage: maps KIND ENTRIES TRUTH"))
	}
	kind := os.Args[1]
	entries, err := strconv.Atoi(os.Args[2])
	check(err)
	truth, err := os.Create(os.Args[3])
	check(err)

	deleted := func(i int) bool { return kind == "deleted" && i%10 == 0 }
	for i := 0; i < entries; i++ {
		add(i)
	}
	var lines strings.Builder
	for i := 0; i < entries; i++ {
		if deleted(i) {
			delete(table, key(i))
		} else {
			lines.WriteString(line(i))
		}
	}
	sum := 0
	if kind == "ranged" {
		for _, value := range table {
			sum += value
		}
	}
	_, err = truth.WriteString(lines.String())
	check(err)
	checkpoint()
	for i := entries; i < most; i++ {
		add(i)
		_, err = truth.WriteString(line(i))
		check(err)
	}
	fmt.Println(len(table), sum)
}
