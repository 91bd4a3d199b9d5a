// SPDX-License-Identifier: MIT

// The same measurements as ../map_bench.cpp, of Go's own map: same keys, same
// order, same sizes.
package mapbench

import (
	"fmt"
	"math/rand"
	"strconv"
	"testing"
	"time"
)

// splitmix is a bijection of the 64-bit integers: keys that are all different
// and in random order.
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func makeUint64(x uint64) uint64 { return x }
func makeString(x uint64) string { return strconv.FormatUint(x|1<<63, 10) + "k" }

// keys makes n keys from the numbers first, first+1 ... The strings of two
// calls share no memory, or comparing them would only compare pointers.
func keys[K comparable](n int, first uint64, make_ func(uint64) K) []K {
	all := make([]K, n)
	for i := range all {
		all[i] = make_(splitmix(first + uint64(i)))
	}
	return all
}

func shuffled[K any](all []K) []K {
	rand.New(rand.NewSource(1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func fill[K comparable](all []K) map[K]uint64 {
	m := map[K]uint64{}
	for i, key := range all {
		m[key] = uint64(i)
	}
	return m
}

var sink uint64

func run[K comparable](b *testing.B, name string, n int, make_ func(uint64) K) {
	const absent = 1 << 40
	bench := func(operation string, f func(b *testing.B)) {
		b.Run(fmt.Sprintf("%s/%s/%d", operation, name, n), f)
	}
	bench("insert", func(b *testing.B) {
		all := keys(n, 0, make_)
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			sink += uint64(len(fill(all)))
		}
	})
	bench("overwrite", func(b *testing.B) {
		m, some := fill(keys(n, 0, make_)), shuffled(keys(n, 0, make_))
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			for j, key := range some {
				m[key] = uint64(j)
			}
		}
	})
	bench("hit", func(b *testing.B) {
		m, some := fill(keys(n, 0, make_)), shuffled(keys(n, 0, make_))
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			for _, key := range some {
				sink += m[key]
			}
		}
	})
	bench("miss", func(b *testing.B) {
		m, some := fill(keys(n, 0, make_)), shuffled(keys(n, absent, make_))
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			for _, key := range some {
				sink += m[key]
			}
		}
	})
	bench("erase", func(b *testing.B) {
		all, some := keys(n, 0, make_), shuffled(keys(n, 0, make_))
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			b.StopTimer()
			m := fill(all)
			b.StartTimer()
			for _, key := range some {
				delete(m, key)
			}
		}
	})
	bench("iterate", func(b *testing.B) {
		m := fill(keys(n, 0, make_))
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			for _, value := range m {
				sink += value
			}
		}
	})
}

func BenchmarkMap(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e7} {
		run(b, "uint64", n, makeUint64)
		run(b, "string", n, makeString)
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("create/uint64/%d", n), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m := map[uint64]uint64{}
					for i := 0; i < n; i++ {
						m[uint64(i)] = 1
					}
				}
			})
		})
	}
}

// BenchmarkLongest reports the longest single insert on the way to n entries.
func BenchmarkLongest(b *testing.B) {
	const n = 10_000_000
	b.Run(fmt.Sprintf("longest/uint64/%d", n), func(b *testing.B) {
		var longest time.Duration
		for i := 0; i < b.N; i++ {
			m := map[uint64]uint64{}
			for j := uint64(0); j < n; j++ {
				key := splitmix(j)
				start := time.Now()
				m[key] = j
				if took := time.Since(start); took > longest {
					longest = took
				}
			}
		}
		b.ReportMetric(float64(longest.Nanoseconds()), "longest-ns")
	})
}
