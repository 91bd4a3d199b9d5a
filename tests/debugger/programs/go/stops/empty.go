// SPDX-License-Identifier: MIT

//go:build !go1.21

package main

// empty is compiled to mapclear where it is optimised; an inlined copy would not be.
//
//go:noinline
func (o *observed[K, V]) empty() {
	for k := range o.m {
		delete(o.m, k)
	}
}
