// SPDX-License-Identifier: MIT
//
// Boost.Test's assertions, made cheap to compile: each is a call of a function, where Boost's
// own is some lines of templates at every place in every instantiation. BOOST_REQUIRE says as
// much as before. BOOST_TEST does not tell the values that it compares: so it is Boost's own
// unless MAPSCOPE_PLAIN_CHECKS is set, as in the builds that repeat the same tests in another
// way.
#ifndef MAPSCOPE_TESTS_CHECKS_HPP
#define MAPSCOPE_TESTS_CHECKS_HPP

#include <boost/test/unit_test.hpp>

namespace support {

// BOOST_TEST and BOOST_REQUIRE; text is what holds, or should.
void check(bool holds, const char *text, const char *file, int line);
void require(bool holds, const char *text, const char *file, int line);

} // namespace support

#undef BOOST_REQUIRE
#define BOOST_REQUIRE(...)                                                                         \
  support::require(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

#ifdef MAPSCOPE_PLAIN_CHECKS
#undef BOOST_TEST
#define MAPSCOPE_CHECK(condition)                                                                  \
  support::check(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
// With a message, or "per element".
#define MAPSCOPE_CHECK_2(condition, how) MAPSCOPE_CHECK(condition)
#define MAPSCOPE_CHECK_OF(first, second, macro, ...) macro
#define BOOST_TEST(...)                                                                            \
  MAPSCOPE_CHECK_OF(__VA_ARGS__, MAPSCOPE_CHECK_2, MAPSCOPE_CHECK, )(__VA_ARGS__)
#endif

#endif
