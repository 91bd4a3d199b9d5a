// SPDX-License-Identifier: MIT
//
// Probes for tracers (USDT): each is one nop in the code and a note in the file,
// which says where that is and where its arguments are. gdb, perf, bpftrace and
// SystemTap put what they like in its place; nobody else notices it. There is no
// semaphore. docs/probes.md has the names and the arguments.
//
// By <sys/sdt.h>, and nothing at all without it or with MAPSCOPE_PROBES=OFF.
#ifndef MAPSCOPE_SRC_PROBES_HPP
#define MAPSCOPE_SRC_PROBES_HPP

#if defined(MAPSCOPE_PROBES) && __has_include(<sys/sdt.h>)
#if defined(__clang__) && !defined(STAP_SDT_ARG_CONSTRAINT)
// Where an argument may also be in memory, clang stores it there for the probe.
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>
#define MAPSCOPE_PROBE2(name, a, b) STAP_PROBE2(mapscope, name, a, b)
#define MAPSCOPE_PROBE3(name, a, b, c) STAP_PROBE3(mapscope, name, a, b, c)
#define MAPSCOPE_PROBE4(name, a, b, c, d) STAP_PROBE4(mapscope, name, a, b, c, d)
#define MAPSCOPE_PROBE5(name, a, b, c, d, e) STAP_PROBE5(mapscope, name, a, b, c, d, e)
#define MAPSCOPE_PROBE6(name, a, b, c, d, e, f) STAP_PROBE6(mapscope, name, a, b, c, d, e, f)
#else
#define MAPSCOPE_PROBE2(name, a, b) static_cast<void>(0)
#define MAPSCOPE_PROBE3(name, a, b, c) static_cast<void>(0)
#define MAPSCOPE_PROBE4(name, a, b, c, d) static_cast<void>(0)
#define MAPSCOPE_PROBE5(name, a, b, c, d, e) static_cast<void>(0)
#define MAPSCOPE_PROBE6(name, a, b, c, d, e, f) static_cast<void>(0)
#endif

#endif
