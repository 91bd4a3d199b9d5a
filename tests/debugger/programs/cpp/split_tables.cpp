// SPDX-License-Identifier: MIT
//
// split_tables has tables that grow by one bucket at a time (linear hashing): a directory leads to
// segments of bucket heads, and the chain of one bucket is split into that and the new one, so that
// for a while both lead to the same entries.
//
//   split_tables [--truth FILE]
//
// FILE gets what the table `towns` holds at checkpoint(); after it, both tables grow on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

struct element {
  element *link;
  std::uint32_t hash;
};

// What stands behind an element.
struct town {
  std::int64_t id;
  double height;
};

using segment = element **;

struct counters {
  std::int64_t entries;
  std::int64_t directory_size;
  std::int64_t segments;
  std::uint32_t max_bucket;
  std::uint32_t high_mask; // of the buckets that there will be when all were split
  std::uint32_t low_mask;  // of those that there were before
};

struct split_table {
  counters *shared;
  segment *directory;
  const char *name;
  std::int64_t segment_size;
};

constexpr std::int64_t segment_size = 8;

static std::uint32_t hash_of(std::int64_t id) {
  std::uint32_t hash = 0x811C9DC5;
  for (int byte = 0; byte < 8; ++byte)
    hash = (hash ^ static_cast<unsigned char>(id >> 8 * byte)) * 0x01000193;
  return hash;
}

static std::uint32_t bucket_of(const counters *shared, std::uint32_t hash) {
  const std::uint32_t bucket = hash & shared->high_mask;
  return bucket > shared->max_bucket ? hash & shared->low_mask : bucket;
}

static element **head_of(split_table *table, std::uint32_t bucket) {
  return &table->directory[bucket / segment_size][bucket % segment_size];
}

extern "C" [[gnu::noinline]] void split_bucket(split_table *table) {
  counters *shared = table->shared;
  const std::uint32_t fresh = shared->max_bucket + 1;
  if (fresh / segment_size >= shared->segments) {
    if (shared->segments == shared->directory_size) {
      shared->directory_size *= 2;
      table->directory = static_cast<segment *>(
          std::realloc(table->directory, sizeof(segment) * shared->directory_size));
    }
    table->directory[shared->segments++] =
        static_cast<segment>(std::calloc(segment_size, sizeof(element *)));
  }
  shared->max_bucket = fresh;
  if (fresh > shared->high_mask) {
    shared->low_mask = shared->high_mask;
    shared->high_mask = fresh | shared->low_mask;
  }
  const std::uint32_t split = fresh & shared->low_mask;
  element **stays = head_of(table, split);
  element **leaves = head_of(table, fresh);
  element *next = nullptr;
  for (element *at = *stays; at; at = next) {
    next = at->link;
    if (bucket_of(shared, at->hash) == split) {
      *stays = at;
      stays = &at->link;
    } else {
      *leaves = at;
      leaves = &at->link;
    }
  }
  *stays = nullptr;
  *leaves = nullptr;
}

static town *town_of(element *at) { return reinterpret_cast<town *>(at + 1); }

extern "C" [[gnu::noinline]] void split_put(split_table *table, std::int64_t id, double height) {
  if (table->shared->entries > table->shared->max_bucket)
    split_bucket(table);
  const std::uint32_t hash = hash_of(id);
  element **head = head_of(table, bucket_of(table->shared, hash));
  auto *made = static_cast<element *>(std::malloc(sizeof(element) + sizeof(town)));
  *town_of(made) = {id, height};
  made->hash = hash;
  made->link = *head;
  *head = made;
  ++table->shared->entries;
}

extern "C" [[gnu::noinline]] void split_drop(split_table *table, std::int64_t id) {
  const std::uint32_t hash = hash_of(id);
  for (element **at = head_of(table, bucket_of(table->shared, hash)); *at; at = &(*at)->link)
    if (town_of(*at)->id == id) {
      element *gone = *at;
      *at = gone->link;
      --table->shared->entries;
      std::free(gone);
      return;
    }
}

static void make(split_table *table, const char *name) {
  table->shared = static_cast<counters *>(std::calloc(1, sizeof(counters)));
  table->shared->directory_size = 1;
  table->shared->segments = 1;
  table->shared->max_bucket = 1;
  table->shared->high_mask = 3;
  table->shared->low_mask = 1;
  table->segment_size = segment_size;
  table->name = name;
  table->directory = static_cast<segment *>(std::malloc(sizeof(segment)));
  table->directory[0] = static_cast<segment>(std::calloc(segment_size, sizeof(element *)));
}

split_table towns, others;

extern "C" [[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

int main(int argc, char **argv) {
  make(&towns, "towns");
  make(&others, "others");
  checkpoint(); // both are empty
  for (std::int64_t id = 0; id < 50; ++id)
    split_put(&towns, id * 1000, static_cast<double>(id) / 2);
  for (std::int64_t id = 0; id < 50; id += 7)
    split_drop(&towns, id * 1000);
  if (argc == 3 && std::strcmp(argv[1], "--truth") == 0) {
    std::FILE *file = std::fopen(argv[2], "w");
    if (!file)
      return 1;
    std::fprintf(file, "{\"towns\": {");
    const char *comma = "";
    for (int id = 0; id < 50; ++id)
      if (id % 7 != 0) {
        std::fprintf(file, "%s\"%d\": %g", comma, id * 1000, id / 2.0);
        comma = ", ";
      }
    std::fprintf(file, "}}\n");
    std::fclose(file);
  }
  checkpoint();
  for (std::int64_t id = 1; id < 40; ++id) {
    split_put(&others, id, 0);
    split_put(&towns, -id, 0);
  }
  split_drop(&others, 17);
  checkpoint();
  return 0;
}
