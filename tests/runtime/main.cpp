// SPDX-License-Identifier: MIT
#define BOOST_TEST_MODULE mapscope runtime
#include "checks.hpp"

namespace support {

void check(bool holds, const char *text, const char *file, int line) {
  BOOST_CHECK_MESSAGE(holds, file << ":" << line << ": " << text);
}

void require(bool holds, const char *text, const char *file, int line) {
  BOOST_REQUIRE_MESSAGE(holds, file << ":" << line << ": " << text);
}

} // namespace support
