// SPDX-License-Identifier: MIT

//go:build go1.21

package main

// empty calls mapclear also where it is not optimised.
func (o *observed[K, V]) empty() {
	clear(o.m)
}
