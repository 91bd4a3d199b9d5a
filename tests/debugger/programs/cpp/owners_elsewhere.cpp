// SPDX-License-Identifier: MIT
//
// A variable in a source file without code.
#include <mapscope/map.hpp>

namespace shop {
mapscope::map<int, int> *elsewhere;
}
