# SPDX-License-Identifier: MIT
#
# Configures, builds and runs the library's tests by one preset:
#   cmake -DPRESET=asan -DBUILD=<build tree> -DJOBS=<number> -P runtime_build.cmake
# in the folder of CMakePresets.json.

function(step)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
endfunction()

step("${CMAKE_COMMAND}" --preset ${PRESET} -B "${BUILD}")
step("${CMAKE_COMMAND}" --build "${BUILD}" -j ${JOBS})
# ThreadSanitizer of gcc 12 and clang 14 cannot run with as much address space
# randomisation as recent kernels use.
set(launcher)
find_program(SETARCH setarch)
if(PRESET STREQUAL "tsan" AND SETARCH)
  set(launcher "${SETARCH}" -R)
endif()
step(${launcher} "${CMAKE_CTEST_COMMAND}" --test-dir "${BUILD}" -j ${JOBS} --output-on-failure
     --no-tests=error)
