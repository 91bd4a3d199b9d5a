// SPDX-License-Identifier: MIT
#define BOOST_TEST_MODULE mapscope runtime
#include <boost/test/unit_test.hpp>
