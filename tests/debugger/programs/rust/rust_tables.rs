// SPDX-License-Identifier: MIT
//
// rust_tables holds hash tables of Rust's standard library in several ways and
// states, and stops at checkpoint.
//
//   rust_tables [FILE [ENTRIES]]
//
// FILE gets what the tables hold, a line of JSON for each (compare.py).
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::hash::{BuildHasherDefault, Hash, Hasher};

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
struct Point {
    x: i32,
    y: i16,
}

// A hash function of the program's own.
#[derive(Default)]
struct Sum(u64);

impl Hasher for Sum {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
    }
}

trait Json {
    fn json(&self) -> String;
}

macro_rules! plain {
    ($($type:ty)*) => {$(impl Json for $type { fn json(&self) -> String { self.to_string() } })*};
}
plain!(u8 i8 i16 u32 i32 u64 i64 bool);

impl Json for &str {
    fn json(&self) -> String {
        format!("\"{}\"", self)
    }
}

impl Json for String {
    fn json(&self) -> String {
        self.as_str().json()
    }
}

impl Json for f64 {
    fn json(&self) -> String {
        format!("{:?}", self)
    }
}

impl Json for Point {
    fn json(&self) -> String {
        format!("{{\"x\":{},\"y\":{}}}", self.x, self.y)
    }
}

impl Json for [u8; 100] {
    fn json(&self) -> String {
        let parts: Vec<String> = self.iter().map(u8::to_string).collect();
        format!("[{}]", parts.join(","))
    }
}

fn line(lines: &mut String, name: &str, place: usize, entries: Vec<String>) {
    writeln!(
        lines,
        "{{\"name\":\"{}\",\"address\":\"{:#x}\",\"count\":{},\"entries\":[{}]}}",
        name,
        place,
        entries.len(),
        entries.join(",")
    )
    .unwrap();
}

fn map<K: Json, V: Json, S>(lines: &mut String, name: &str, table: &HashMap<K, V, S>) {
    let entries = table
        .iter()
        .map(|(key, value)| format!("{{\"key\":{},\"value\":{}}}", key.json(), value.json()))
        .collect();
    line(lines, name, table as *const _ as usize, entries);
}

fn set<K: Json>(lines: &mut String, name: &str, table: &HashSet<K>) {
    let entries = table
        .iter()
        .map(|key| format!("{{\"key\":{}}}", key.json()))
        .collect();
    line(lines, name, table as *const _ as usize, entries);
}

#[inline(never)]
fn checkpoint(lines: &str) -> usize {
    std::hint::black_box(lines).len()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let big: u64 = arguments.get(2).map_or(0, |text| text.parse().unwrap());
    let empty: HashMap<u64, u64> = HashMap::new();
    let mut one = HashMap::new();
    one.insert(5i32, 50i32);
    let mut eight: HashMap<i32, i32> = HashMap::new();
    let mut thousand: HashMap<u64, u64> = HashMap::new();
    let mut erased: HashMap<i64, i64> = HashMap::new();
    let mut cleared: HashMap<i32, i32> = HashMap::new();
    let mut reserved: HashMap<i32, i32> = HashMap::with_capacity(10_000);
    let mut text: HashMap<String, i32> = HashMap::new();
    let mut words: HashMap<&str, String> = HashMap::new();
    let mut bytes: HashMap<u8, bool> = HashMap::new();
    let mut flags: HashMap<bool, i8> = HashMap::new();
    let mut points: HashMap<Point, Point> = HashMap::new();
    let mut sums: HashMap<String, f64, BuildHasherDefault<Sum>> = HashMap::default();
    let mut large: HashMap<i16, [u8; 100]> = HashMap::new();
    let mut numbers: HashSet<i32> = HashSet::new();
    let mut names: HashSet<String> = HashSet::new();
    let mut big_numbers: HashMap<u64, u64> = HashMap::new();
    let mut big_text: HashMap<String, u64> = HashMap::new();
    for i in 0..8 {
        eight.insert(i * 3, i);
    }
    for i in 0..1000 {
        thousand.insert(i * 7919, i);
        erased.insert(i as i64, -(i as i64));
        cleared.insert(i as i32, 0);
        text.insert(format!("key {}", i), i as i32);
        names.insert(format!("a longer name, number {}", i));
    }
    erased.retain(|key, _| key % 3 == 0);
    cleared.clear();
    reserved.insert(1, 2);
    for word in ["", "a", "seven..", "eight...", "caf\u{e9}"] {
        words.insert(word, word.to_string());
    }
    for i in 0..=255u8 {
        bytes.insert(i, i % 2 == 0);
    }
    flags.insert(true, 1);
    flags.insert(false, -1);
    for i in 0..20i16 {
        points.insert(Point { x: i.into(), y: -i }, Point { x: 2, y: i });
        sums.insert(format!("sum {}", i), f64::from(i) + 0.5);
        large.insert(i, [i as u8; 100]);
        numbers.insert(i32::from(i) * i32::from(i));
    }
    for i in 0..big {
        big_numbers.insert(i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i);
        big_text.insert(format!("a key of some length {}", i), i);
    }
    let mut lines = String::new();
    map(&mut lines, "empty", &empty);
    map(&mut lines, "one", &one);
    map(&mut lines, "eight", &eight);
    map(&mut lines, "thousand", &thousand);
    map(&mut lines, "erased", &erased);
    map(&mut lines, "cleared", &cleared);
    map(&mut lines, "reserved", &reserved);
    map(&mut lines, "text", &text);
    map(&mut lines, "words", &words);
    map(&mut lines, "bytes", &bytes);
    map(&mut lines, "flags", &flags);
    map(&mut lines, "points", &points);
    map(&mut lines, "sums", &sums);
    map(&mut lines, "large", &large);
    set(&mut lines, "numbers", &numbers);
    set(&mut lines, "names", &names);
    map(&mut lines, "big_numbers", &big_numbers);
    map(&mut lines, "big_text", &big_text);
    if let Some(file) = arguments.get(1) {
        std::fs::write(file, &lines).unwrap();
    }
    let length = checkpoint(&lines);
    for i in 0..1000 {
        one.insert(i, length as i32);
    }
    println!("done {}", one.len());
}
