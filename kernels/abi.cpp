// SPDX-License-Identifier: MIT
#include "kernels.h"

/// The version of what all kernels take and give: core takes no library that says another.
MAPSCOPE_KERNEL std::uint64_t mapscope_kernels_abi() { return 4; }
