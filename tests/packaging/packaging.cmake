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
# gdb finds the script by what the program says; nothing is sourced.
if(USE STREQUAL "package" AND GDB AND LINKAGE STREQUAL "static")
  set(shows -ex "catch syscall write" -ex run -ex "map list" "${WORK}/consumer/consumer")
  step("${GDB}" -nx -batch -iex "add-auto-load-safe-path ${prefix}/share/gdb/auto-load" ${shows})
  if(NOT output MATCHES " 1000 .* mapscope::map<std::string, int>")
    message(FATAL_ERROR "gdb did not find the script that the program names: ${output}")
  endif()
  # Where gdb is not to trust that folder, it says so in its own words, unless mapscope is loaded.
  step("${GDB}" -nx -batch -ex "help map" -ex "echo done" "${WORK}/consumer/consumer")
  if(output MATCHES "migration" OR NOT output MATCHES "add-auto-load-safe-path")
    message(FATAL_ERROR "gdb loaded what it was not told to trust: ${output}")
  endif()
  step("${GDB}" -nx -batch -iex "source ${prefix}/share/mapscope/gdb/mapscope_gdb.py" ${shows})
  if(output MATCHES "safe-path" OR NOT output MATCHES " 1000 ")
    message(FATAL_ERROR "mapscope is loaded, and gdb warns of its script: ${output}")
  endif()
  foreach(option IN ITEMS -DOTHER -DMAPSCOPE_NO_GDB_SCRIPT)
    step("${CXX}" -std=c++20 -E ${option} "-I${prefix}/include" -o "${WORK}/preprocessed"
         "${CMAKE_CURRENT_LIST_DIR}/consumer/main.cpp")
    file(STRINGS "${WORK}/preprocessed" entries REGEX "\\.debug_gdb_scripts")
    list(LENGTH entries entries${option})
  endforeach()
  if(NOT "${entries-DOTHER};${entries-DMAPSCOPE_NO_GDB_SCRIPT}" STREQUAL "1;0")
    message(FATAL_ERROR "MAPSCOPE_NO_GDB_SCRIPT does not leave the script out")
  endif()
endif()
if(USE STREQUAL "package" AND GDB AND LINKAGE STREQUAL "shared")
  # What gdb finds by the library's name, if share/gdb/auto-load is its own.
  file(GLOB scripts "${prefix}/share/gdb/auto-load/${prefix}/*/libmapscope_runtime.so.*-gdb.py")
  list(LENGTH scripts number)
  if(NOT number EQUAL 1)
    message(FATAL_ERROR "the shared library has no script of its name: ${scripts}")
  endif()
  step("${GDB}" -nx -batch -iex "set auto-load scripts-directory ${prefix}/share/gdb/auto-load"
       -iex "add-auto-load-safe-path ${prefix}/share/gdb/auto-load" -ex "catch syscall write" -ex run
       -ex "map list" -ex "info auto-load python-scripts libmapscope" "${WORK}/consumer/consumer")
  if(NOT output MATCHES " 1000 .* mapscope::map<std::string, int>" OR NOT output MATCHES "Yes +[^\n]*so[.0-9]*-gdb.py")
    message(FATAL_ERROR "gdb did not find the shared library's script: ${output}")
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
