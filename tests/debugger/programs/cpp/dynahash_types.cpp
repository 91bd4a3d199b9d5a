// SPDX-License-Identifier: MIT
//
// The structs of PostgreSQL's dynahash, as release 15 has them, for a server without debug
// information: compiled with -g and -c, and given to the debugger beside the server.
#include <cstddef>
#include <cstdint>

struct HASHELEMENT {
  HASHELEMENT *link;
  std::uint32_t hashvalue;
};

struct FreeListData {
  int mutex;
  long nentries;
  HASHELEMENT *freeList;
};

struct HASHHDR {
  FreeListData freeList[32];
  long dsize, nsegs;
  std::uint32_t max_bucket, high_mask, low_mask;
  std::size_t keysize, entrysize;
  long num_partitions, max_dsize, ssize;
  int sshift, nelem_alloc;
};

struct HTAB {
  HASHHDR *hctl;
  HASHELEMENT ***dir;
  void *hash, *match, *keycopy, *alloc, *hcxt;
  char *tabname;
  bool isshared, isfixed, frozen;
  std::size_t keysize;
  long ssize;
  int sshift;
};

// so that the compiler describes them
HTAB a_table;
HASHHDR a_header;
HASHELEMENT an_element;
