// SPDX-License-Identifier: MIT

// A plugin whose maps have types of its own.
package main

type coin struct {
	Side  string
	Value int8
}

type purse map[coin][]uint16

var Coins = purse{{"head", 5}: {1, 2}}

//go:noinline
func stop(own purse, given map[string]int) int { return len(own) + len(given) }

// Fill is what the host calls.
func Fill(given map[string]int) interface{} {
	own := purse{{"tail", -1}: {7}}
	for i := 0; i < 60; i++ {
		Coins[coin{"rim", int8(i)}] = nil
	}
	stop(own, given)
	return own
}

func main() {}
