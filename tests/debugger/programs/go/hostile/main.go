// SPDX-License-Identifier: MIT

// Text that a terminal would act on: in keys and values, and in the name of the thread; and
// names of types in letters that are not ASCII.
package main

import (
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// Größe has a name of more than ASCII.
type Größe struct {
	Länge string
	Any   interface{}
}

// Schlüssel is a key.
type Schlüssel string

var (
	Texts = map[string]string{}
	Sizes = map[Schlüssel]Größe{}
)

//go:noinline
func checkpoint() {}

func main() {
	runtime.LockOSThread()
	const setName = 15 // PR_SET_NAME
	name := []byte("\x1b[31mr\n\u202e\x00")
	syscall.RawSyscall(syscall.SYS_PRCTL, setName, uintptr(unsafe.Pointer(&name[0])), 0)
	for _, text := range []string{
		"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "one\ntwo\r", "\u009b2J", "safe\u202eexe.txt",
		"a\xff\xfe", "\xed\xa0\x80", "nul\x00nul",
	} {
		Texts[text] = text
	}
	Texts["long"] = strings.Repeat("\x1b", 1000)
	Sizes["\x1b[31mred"] = Größe{"\x1b[31mred", Schlüssel("\u202e")}
	checkpoint()
	Texts["\x1b[31mnew"] = "\x1b[31mnew"
	checkpoint()
}
