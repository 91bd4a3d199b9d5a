# SPDX-License-Identifier: MIT
#
# Builds and runs consumer/ against the library:
#   USE=package       installed to a prefix, found by find_package
#   USE=subdirectory  added by add_subdirectory
#   LINKAGE           static or shared
#   SOURCE, WORK      the project's folder, and a folder to work in
#   GDB, LLDB         the debugger, or something false: loads the installed scripts
#   GENERATOR, CXX    as for CMake

function(step)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# What an earlier run left behind would hide a file that is not installed.
file(REMOVE_RECURSE "${WORK}")
set(prefix "${WORK}/prefix")
# Not optimised: what is tested is which files are found, built and linked.
set(configure "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${CXX}"
    -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG")
if(LINKAGE STREQUAL "shared")
  list(APPEND configure -DBUILD_SHARED_LIBS=ON)
endif()

set(find "-DMAPSCOPE_SOURCE=${SOURCE}")
if(USE STREQUAL "package")
  step(${configure} -S "${SOURCE}" -B "${WORK}/mapscope" -DMAPSCOPE_TESTS=OFF
       -DMAPSCOPE_EXAMPLES=OFF)
  step("${CMAKE_COMMAND}" --build "${WORK}/mapscope")
  step("${CMAKE_COMMAND}" --install "${WORK}/mapscope" --prefix "${prefix}")
  set(find "-DCMAKE_PREFIX_PATH=${prefix}")
  # It must stand on its own.
  file(REMOVE_RECURSE "${WORK}/mapscope")
endif()

step(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${WORK}/consumer" "${find}")
step("${CMAKE_COMMAND}" --build "${WORK}/consumer")
step("${WORK}/consumer/consumer")
if(NOT output MATCHES "consumer: 1000 entries")
  message(FATAL_ERROR "the consumer printed something else: ${output}")
endif()

if(USE STREQUAL "subdirectory")
  file(GLOB_RECURSE unwanted "${WORK}/consumer/mapscope/growing*"
       "${WORK}/consumer/mapscope/CTestTestfile.cmake")
  if(unwanted)
    message(FATAL_ERROR "examples or tests were added to the consumer's build: ${unwanted}")
  endif()
  step("${CMAKE_COMMAND}" --install "${WORK}/consumer" --prefix "${prefix}")
  file(GLOB_RECURSE unwanted "${prefix}/*mapscope*")
  if(unwanted)
    message(FATAL_ERROR "the consumer's installation received: ${unwanted}")
  endif()
endif()
if(USE STREQUAL "package" AND GDB)
  step("${GDB}" -nx -batch -x "${prefix}/share/mapscope/gdb/mapscope_gdb.py" -ex "help map")
  if(NOT output MATCHES "inspect")
    message(FATAL_ERROR "gdb did not load the installed scripts: ${output}")
  endif()
endif()
if(USE STREQUAL "package" AND LLDB)
  step("${LLDB}" --batch --no-lldbinit -o "help map"
       -O "command script import '${prefix}/share/mapscope/lldb/mapscope_lldb.py'")
  if(NOT output MATCHES "inspect")
    message(FATAL_ERROR "LLDB did not load the installed scripts: ${output}")
  endif()
endif()
if(USE STREQUAL "package")
  step("${prefix}/bin/mapscope" inspect --help)
  if(NOT output MATCHES "migration")
    message(FATAL_ERROR "the installed command did not find its package: ${output}")
  endif()
  file(READ "${prefix}/share/man/man7/mapscope-commands.7" page)
  file(READ "${prefix}/share/man/man1/mapscope.1" command_page)
  if(NOT page MATCHES "\n\\.SS map inspect\n" OR NOT command_page MATCHES "SH SYNOPSIS")
    message(FATAL_ERROR "the manual pages are not those of the commands")
  endif()
  # The command, and what find_package is told: one version.
  file(READ "${SOURCE}/core/mapscope/version.py" version)
  string(REGEX MATCH "VERSION = \"([^\"]+)\"" unused "${version}")
  set(version "${CMAKE_MATCH_1}")
  step("${prefix}/bin/mapscope" --version)
  file(GLOB_RECURSE stated "${prefix}/*/mapscopeConfigVersion.cmake")
  file(READ "${stated}" stated)
  if(NOT output STREQUAL "mapscope ${version}\n" OR NOT stated MATCHES "PACKAGE_VERSION \"${version}\"")
    message(FATAL_ERROR "the version is not ${version} everywhere: ${output}")
  endif()
  foreach(part page.html page.css page.js)
    if(NOT EXISTS "${prefix}/share/mapscope/core/mapscope/page/${part}")
      message(FATAL_ERROR "map report has no ${part} where it is installed")
    endif()
  endforeach()
endif()
