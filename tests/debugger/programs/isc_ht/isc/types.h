// SPDX-License-Identifier: MIT
#pragma once
#include <isc/util.h>
