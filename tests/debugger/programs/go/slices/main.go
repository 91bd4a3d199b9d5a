// SPDX-License-Identifier: MIT

// slices has slices of every kind, sound and damaged, and tells what append
// does to full ones.
//
//	slices             stops at main.checkpoint
//	slices --growths   prints, for many full slices of many types, a line
//	                   "SIZE POINTERS CAPACITY NEW": bytes of an element, 1 if it
//	                   has pointers, the capacity before and after an append
package main

import (
	"fmt"
	"os"
	"unsafe"
)

type header struct {
	data     unsafe.Pointer
	len, cap int
}

type point struct{ X, Y int }

type node struct {
	Name  string
	Left  *node
	Items []point
}

type empty struct{}

type words []string

// What commands are asked about.
var (
	Nil      []int
	None         = []int{}
	Room         = make([]int, 0, 10)
	Numbers      = []int{1, -2, 3, 4, 5, 6, 7, 8}
	Part         = Numbers[2:5]
	Capped       = Numbers[2:5:6]
	Bytes        = []byte("bytes\x00\xff\x1b[31m")
	Texts        = words{"one", "", "\x1b[2Jthree"}
	Points       = []point{{1, 2}, {3, 4}}
	Pointers     = []*point{&Points[0], nil, &Points[1]}
	Nested       = [][]int{{1}, nil, {2, 3}}
	Any          = []any{1, "two", nil, point{3, 4}, &Points[0]}
	Empties      = make([]empty, 5)
	Text         = "text\x1b[31m"
	NoText       = ""
	Row          = [4]int{1, 2, 3, 4}
	Tree         = &node{"root", &node{Name: "leaf"}, Points[1:]}
	Held     any = Numbers[:2]
	Many         = make([]uint16, 100000)

	// headers that no slice has
	Short, Nowhere, Huge, Negative, Lost, Wrapped []int
	BadText                                       string
)

// Window is what append is watched on, and the pointers into its arrays.
type Window struct {
	List  []point
	First *point
	Early []point
}

var Watched = &Window{}

//go:noinline
func checkpoint(part []int, text string) int {
	return len(part) + len(text)
}

//go:noinline
func add(list []point, p point) []point {
	return append(list, p)
}

func damage() {
	here := unsafe.Pointer(&Row[0])
	*(*header)(unsafe.Pointer(&Short)) = header{here, 4, 2}
	*(*header)(unsafe.Pointer(&Nowhere)) = header{unsafe.Pointer(uintptr(0x1234560)), 3, 3}
	*(*header)(unsafe.Pointer(&Huge)) = header{here, 1 << 60, 1 << 60}
	*(*header)(unsafe.Pointer(&Negative)) = header{here, -5, 4}
	*(*header)(unsafe.Pointer(&Lost)) = header{nil, 3, 3}
	*(*header)(unsafe.Pointer(&Wrapped)) = header{unsafe.Pointer(^uintptr(15)), 8, 8}
	*(*header)(unsafe.Pointer(&BadText)) = header{here, 1 << 50, 0}
}

func repair() {
	Short, Nowhere, Huge, Negative, Lost, Wrapped, BadText = nil, nil, nil, nil, nil, nil, ""
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--growths" {
		growths()
		return
	}
	stop := make(chan bool)
	done := make(chan bool)
	Watched.List = append(Watched.List, point{1, 1}, point{2, 2})
	Watched.First = &Watched.List[0]
	Watched.Early = Watched.List[:1]
	go func(p *point) {
		<-stop
		fmt.Println("kept:", p.X)
		done <- true
	}(&Watched.List[1])
	damage()
	checkpoint(Part, Text)
	repair()
	before := cap(Watched.List)
	moves := 0
	for i := 3; i <= 20; i++ {
		if i%2 == 0 {
			Watched.List = add(Watched.List, point{i, i})
		} else {
			Watched.List = append(Watched.List, point{i, i})
		}
		if cap(Watched.List) != before {
			before = cap(Watched.List)
			moves++
		}
	}
	Watched.List = Watched.List[1:]
	checkpoint(Part, Text)
	fmt.Println("moves:", moves, "capacity:", before)
	stop <- true
	<-done
	fmt.Println(len(Nil), len(None), len(Room), len(Capped), len(Bytes), len(Texts), len(Pointers),
		len(Nested), len(Any), len(Empties), len(NoText), len(Tree.Items), Held, len(Many))
}
