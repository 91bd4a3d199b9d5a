// SPDX-License-Identifier: MIT
//
// Tables of a program's own, which mapscope knows by the descriptions in ../descriptions alone:
//
//   book      chains of nodes, doubled a bucket at a time: by every call that adds or removes
//   stock     slots of an array, from one to the next one that is free; variables of this file
//   names     nodes with their key behind them, in buckets that are structs; one of a template
//
//   own_tables [--truth FILE] [--keys N]
//
// FILE gets what they hold at each checkpoint(). After it, the book grows on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// --- book: what docs/describe.md takes as its example ---

struct entry {
  entry *next;
  const char *name;
  std::uint32_t hash;
  int number;
};

struct book {
  entry **buckets;
  std::size_t mask;
  std::size_t used;
  entry **old; // null: no migration
  std::size_t old_mask;
  std::size_t moved; // buckets of `old` below it are empty
};

std::uint32_t hash_of(const char *text) {
  std::uint32_t hash = 0x811C9DC5;
  for (; *text; ++text)
    hash = (hash ^ static_cast<unsigned char>(*text)) * 0x01000193;
  return hash;
}

extern "C" [[gnu::noinline]] void book_grow(book *b) {
  const std::size_t size = 2 * (b->mask + 1);
  auto **fresh = static_cast<entry **>(std::calloc(size, sizeof(entry *)));
  b->moved = 0;
  b->old_mask = b->mask;
  b->old = b->buckets;
  b->buckets = fresh;
  b->mask = size - 1;
}

extern "C" [[gnu::noinline]] void book_step(book *b) {
  entry *next = nullptr;
  for (entry *e = b->old[b->moved]; e; e = next) {
    next = e->next;
    e->next = b->buckets[e->hash & b->mask];
    b->buckets[e->hash & b->mask] = e;
  }
  b->old[b->moved] = nullptr;
  if (++b->moved > b->old_mask) {
    std::free(b->old);
    b->old = nullptr;
  }
}

entry **book_place(book *b, std::uint32_t hash) {
  if (b->old && (hash & b->old_mask) >= b->moved)
    return &b->old[hash & b->old_mask];
  return &b->buckets[hash & b->mask];
}

extern "C" [[gnu::noinline]] void book_add(book *b, const char *name, int number) {
  if (b->old)
    book_step(b);
  else if (b->used > b->mask)
    book_grow(b);
  const std::uint32_t hash = hash_of(name);
  entry **place = book_place(b, hash);
  *place = new entry{*place, name, hash, number};
  ++b->used;
}

extern "C" [[gnu::noinline]] bool book_remove(book *b, const char *name) {
  if (b->old)
    book_step(b);
  const std::uint32_t hash = hash_of(name);
  for (entry **at = book_place(b, hash); *at; at = &(*at)->next)
    if (std::strcmp((*at)->name, name) == 0) {
      entry *gone = *at;
      *at = gone->next;
      --b->used;
      delete gone;
      return true;
    }
  return false;
}

// --- stock: variables ---

struct slot {
  std::uint8_t state; // 0 empty, 1 deleted, 2 an entry
  std::int32_t key;
  double price;
};

static slot *cells;
static unsigned log2_cells;

void stock_put(int key, double price) {
  const unsigned mask = (1U << log2_cells) - 1;
  unsigned at = static_cast<unsigned>(key) & mask;
  while (cells[at].state == 2 && cells[at].key != key)
    at = (at + 1) & mask;
  cells[at] = {2, key, price};
}

void stock_drop(int key) {
  const unsigned mask = (1U << log2_cells) - 1;
  for (unsigned at = static_cast<unsigned>(key) & mask; cells[at].state; at = (at + 1) & mask)
    if (cells[at].state == 2 && cells[at].key == key) {
      cells[at].state = 1;
      return;
    }
}

// --- names: a template, keys behind nodes, no count ---

struct named {
  named *next;
  std::uint16_t length;
  char text[1];
};

template <class Value> class names {
public:
  struct head {
    int lock = 0;
    named *first = nullptr;
  };
  void add(const std::string &text, Value value) {
    head &bucket = heads_[hash_of(text.c_str()) % std::size(heads_)];
    auto *made = static_cast<named *>(std::malloc(sizeof(named) + text.size() + sizeof(Value) + 8));
    made->length = static_cast<std::uint16_t>(text.size());
    std::memcpy(made->text, text.data(), text.size());
    std::memcpy(made->text + text.size(), &value, sizeof value);
    made->next = bucket.first;
    bucket.first = made;
  }

private:
  head heads_[13];
};

book numbers;
names<short> spelled;

extern "C" [[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

static void write_truth(const char *path, const std::vector<std::string> &in_book) {
  std::FILE *file = std::fopen(path, "w");
  if (!file)
    return;
  std::fprintf(file, "{\"book\": {");
  const char *comma = "";
  for (std::size_t i = 0; i < in_book.size(); ++i, comma = ", ")
    std::fprintf(file, "%s\"%s\": %zu", comma, in_book[i].c_str(), i);
  std::fprintf(file, "}, \"stock\": {");
  comma = "";
  for (int key = 0; key < 40; ++key)
    if (key % 5)
      std::fprintf(file, "%s\"%d\": %g", comma, 37 * key - 300, key * 0.5), comma = ", ";
  std::fprintf(file, "}, \"names\": {");
  comma = "";
  for (int key = 0; key < 30; ++key, comma = ", ")
    std::fprintf(file, "%s\"name %d\": %d", comma, key * key, key - 10);
  std::fprintf(file, "}}\n");
  std::fclose(file);
}

int main(int argc, char **argv) {
  const char *truth = nullptr;
  std::size_t keys = 24;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--truth"))
      truth = argv[i + 1];
    if (!std::strcmp(argv[i], "--keys"))
      keys = std::strtoul(argv[i + 1], nullptr, 10);
  }
  numbers.buckets = static_cast<entry **>(std::calloc(4, sizeof(entry *)));
  numbers.mask = 3;
  log2_cells = 6;
  cells = static_cast<slot *>(std::calloc(64, sizeof(slot)));
  checkpoint(); // all are empty

  static std::vector<std::string> texts;
  for (std::size_t i = 0; i < 4 * keys; ++i)
    texts.push_back("name " + std::to_string(i));
  std::vector<std::string> in_book;
  std::size_t at = 0;
  // into the middle of a migration
  while (at < keys || !numbers.old || numbers.moved < 2) {
    book_add(&numbers, texts[at].c_str(), static_cast<int>(at));
    in_book.push_back(texts[at++]);
    if (at == texts.size())
      break;
  }
  for (int key = 0; key < 40; ++key)
    stock_put(37 * key - 300, key * 0.5);
  for (int key = 0; key < 40; key += 5)
    stock_drop(37 * key - 300);
  for (short key = 0; key < 30; ++key)
    spelled.add("name " + std::to_string(key * key), static_cast<short>(key - 10));
  if (truth)
    write_truth(truth, in_book);
  checkpoint(); // in mid-migration

  while (at < texts.size()) {
    book_add(&numbers, texts[at].c_str(), static_cast<int>(at));
    ++at;
    if (at % 8 == 0)
      book_remove(&numbers, texts[at - 3].c_str());
  }
  checkpoint();
  return 0;
}
