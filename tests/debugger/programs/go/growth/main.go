// SPDX-License-Identifier: MIT

// growth swiss|classic inserts 20,000 numbers into one map, and prints for each
// growth how many entries there were when the next one made it grow:
//
//	classic: the B that the map had
//	swiss:   the slots of the table that was replaced; 8: the map was one group
//
// It reads what runtime/map.go (hmap.B) and internal/runtime/maps (Map.dirLen,
// table.capacity, table.used) have in memory.
package main

import (
	"fmt"
	"os"
	"unsafe"
)

// shape returns B; or the slots of each table, by its address.
func shape(header unsafe.Pointer, swiss bool) (b uint8, tables map[unsafe.Pointer][2]uint16) {
	if !swiss {
		return *(*uint8)(unsafe.Add(header, 9)), nil
	}
	tables = map[unsafe.Pointer][2]uint16{}
	directory := *(*unsafe.Pointer)(unsafe.Add(header, 16))
	for i := 0; i < *(*int)(unsafe.Add(header, 24)); i++ {
		table := *(*unsafe.Pointer)(unsafe.Add(directory, i*8))
		tables[table] = [2]uint16{*(*uint16)(unsafe.Add(table, 2)), *(*uint16)(table)}
	}
	return 0, tables
}

func main() {
	swiss := len(os.Args) > 1 && os.Args[1] == "swiss"
	numbers := make(map[uint64]uint64)
	header := *(*unsafe.Pointer)(unsafe.Pointer(&numbers))
	b, tables := shape(header, swiss)
	for i := uint64(0); i < 20000; i++ {
		numbers[i] = i
		nowB, now := shape(header, swiss)
		if nowB != b {
			fmt.Println(b, i)
		}
		if swiss && len(tables) == 0 && len(now) > 0 {
			fmt.Println(8, i)
		}
		for table, state := range tables {
			if _, there := now[table]; !there {
				fmt.Println(state[0], state[1])
			}
		}
		b, tables = nowB, now
	}
}
