// SPDX-License-Identifier: MIT

// Goroutines that wait in every way there is, or run, each with maps of its own. What they are
// called and hold is written to a file: the goroutine's id, a frame or nothing, an expression, and
// the only entry of its map as JSON, or "!" and what a refusal must say.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	account sync.Mutex
	lines   bytes.Buffer
	ready   sync.WaitGroup
	forever = make(chan map[string]int)
	spins   int32
	jammed  sync.Mutex

	Table  = map[string]int{"of the package": 1}
	shadow = map[string]int{"of the package": 2}
)

type shelf struct {
	name  string
	key   string
	goods map[string]map[int]string
	next  *shelf
}

// What is called to make them keeps the compiler from making them up wherever they are used.

//go:noinline
func one(key string, value int) map[string]int { return map[string]int{key: value} }

//go:noinline
func shelved(name, key string, inner map[int]string) *shelf {
	return &shelf{name: name, key: key, goods: map[string]map[int]string{key: inner}}
}

//go:noinline
func same(m *map[string]int) *map[string]int { return m }

func goid() int {
	var text [64]byte
	words := bytes.Fields(text[:runtime.Stack(text[:], false)])
	number, _ := strconv.Atoi(string(words[1]))
	return number
}

// say notes what an expression means for the goroutine that calls.
func say(expression, expected string) { sayOf(goid(), "", expression, expected) }

func sayOf(id int, frame, expression, expected string) {
	account.Lock()
	fmt.Fprintf(&lines, "%d\t%s\t%s\t%s\n", id, frame, expression, expected)
	account.Unlock()
}

func entry(key string, value int) string {
	return fmt.Sprintf(`{"key": %q, "value": %d}`, key, value)
}

// receiver waits in a channel.
func receiver(number int) {
	m := one("receiver", number)
	inner := map[int]string{number: "inner"}
	s := shelved("s", "k", inner)
	s.next = shelved("next", "n", map[int]string{7: "next"})
	key := s.key
	say("m", entry("receiver", number))
	say("inner", fmt.Sprintf(`{"key": %d, "value": "inner"}`, number))
	say("s.goods[key]", fmt.Sprintf(`{"key": %d, "value": "inner"}`, number))
	say(`s.next.goods["n"]`, `{"key": 7, "value": "next"}`)
	say("Table", entry("of the package", 1))
	say("main.Table", entry("of the package", 1))
	say("nosuch", "!no symbol")
	say("number", "!no map there")
	say("s", "!is no map but a")
	say("$rax", "!leave out --goroutine")
	ready.Done()
	<-forever
	runtime.KeepAlive(m)
	runtime.KeepAlive(s)
	runtime.KeepAlive(inner)
	fmt.Fprint(os.Stderr, key, number)
}

// locker waits for a mutex, in whose functions m is the mutex.
func locker() {
	m := one("locker", 1)
	say("m", entry("locker", 1))
	ready.Done()
	jammed.Lock()
	runtime.KeepAlive(m)
}

// sleeper's map escapes.
func sleeper() {
	m := one("sleeper", 1)
	kept := same(&m)
	say("m", entry("sleeper", 1))
	say("kept", entry("sleeper", 1))
	ready.Done()
	time.Sleep(time.Hour)
	fmt.Fprint(os.Stderr, *kept)
}

// chooser waits in a select, in a closure, of which a caller has a map of another name.
func chooser() {
	outer := one("outer", 1)
	say("outer", entry("outer", 1))
	func() {
		m := one("chooser", 1)
		say("m", entry("chooser", 1))
		ready.Done()
		select {
		case <-forever:
		case <-time.After(time.Hour):
		}
		runtime.KeepAlive(m)
	}()
	runtime.KeepAlive(outer)
}

// deep has one map a level: the innermost is meant unless a frame is named.
//
//go:noinline
func deep(level int) int {
	m := one("level", level)
	if level == 0 {
		say("m", entry("level", 0))
		// 0 to 2 are the runtime's, in which it waits
		for up := 0; up < 4; up++ {
			sayOf(goid(), strconv.Itoa(3+up), "m", entry("level", up))
		}
		sayOf(goid(), "2", "m", "!no symbol")
		sayOf(goid(), "99", "m", "!has no frame 99; it has 0 runtime.gopark")
		ready.Done()
		<-forever
	} else {
		level += deep(level - 1)
	}
	runtime.KeepAlive(m)
	return level
}

// shadower's own shadow is a caller's of where it waits, and the package has one, too.
func shadower() {
	shadow := one("shadower", 1)
	say("shadow", "!say which with --frame")
	sayOf(goid(), "3", "shadow", entry("of the package", 2))
	sayOf(goid(), "4", "shadow", entry("shadower", 1))
	say("main.shadow", entry("of the package", 2))
	wait()
	runtime.KeepAlive(shadow)
}

//go:noinline
func wait() {
	ready.Done()
	<-forever
}

// caller waits in a system call.
func caller(file int) {
	m := one("caller", 1)
	say("m", entry("caller", 1))
	ready.Done()
	var one [1]byte
	syscall.Read(file, one[:])
	runtime.KeepAlive(m)
}

// spinner runs on a thread.
func spinner() {
	m := one("spinner", 1)
	say("m", entry("spinner", 1))
	ready.Done()
	for atomic.LoadInt32(&spins) >= 0 {
		atomic.AddInt32(&spins, 1)
		spins &= 0xffff
	}
	runtime.KeepAlive(m)
}

//go:noinline
func checkpoint() { runtime.Gosched() }

func main() {
	runtime.GOMAXPROCS(4)
	jammed.Lock()
	ends := make([]int, 2)
	if err := syscall.Pipe(ends); err != nil {
		panic(err)
	}
	started := []func(){
		func() { receiver(1) }, func() { receiver(2) }, func() { receiver(3) },
		locker, sleeper, chooser, func() { deep(5) }, shadower, func() { caller(ends[0]) }, spinner,
	}
	ready.Add(len(started))
	for _, start := range started {
		go start()
	}
	ready.Wait()
	time.Sleep(50 * time.Millisecond) // what has said that it is ready comes to wait
	mine := one("main", 1)
	say("mine", entry("main", 1))
	sayOf(99999, "", "mine", "!no goroutine 99999: this program has")
	os.WriteFile(os.Args[1], lines.Bytes(), 0o600)
	checkpoint()
	runtime.KeepAlive(mine)
}
