// SPDX-License-Identifier: MIT

// stale_pointer loses a deposit.
//
// The bank keeps its accounts in a slice, and a pointer to the account that was
// opened first. The slice has room for two. The third account is appended: the
// append moves all accounts to a larger array, but the pointer still points at
// the old one. What is paid in through it is paid into a copy that nobody reads
// any more.
//
//	stale_pointer
//
// It prints the balance by the pointer and the balance in the slice: they
// differ.
package main

import "fmt"

type account struct {
	name  string
	cents int
}

type bank struct {
	accounts []account
	first    *account
}

var theBank = &bank{}

// opened is where a debugger stops: `break main.opened`.
//
//go:noinline
func opened(b *bank) int {
	return len(b.accounts)
}

// open appends an account.
//
//go:noinline
func (b *bank) open(name string, cents int) {
	b.accounts = append(b.accounts, account{name, cents})
	opened(b)
}

// checkpoint is where a debugger stops at the end.
//
//go:noinline
func checkpoint(b *bank, review []account) int {
	return len(review)
}

func main() {
	theBank.accounts = make([]account, 0, 2)
	theBank.open("ada", 100)
	theBank.open("bob", 200)
	theBank.first = &theBank.accounts[0]
	review := theBank.accounts[:2]

	theBank.open("cleo", 300)
	theBank.first.cents += 50

	checkpoint(theBank, review)
	fmt.Printf("by the pointer: %d, in the slice: %d\n",
		theBank.first.cents, theBank.accounts[0].cents)
}
