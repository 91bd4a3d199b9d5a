# SPDX-License-Identifier: MIT
#
# Go programs as CMake targets, built by the installed toolchain alone: no
# module, no network, caches inside the build tree.
#
# MAPSCOPE_GO: the go command, empty when there is none.
include_guard(GLOBAL)

find_program(MAPSCOPE_GO go PATHS /usr/local/go/bin)
if(NOT MAPSCOPE_GO)
  message(STATUS "Go programs are not built: go was not found (Debian: golang-go)")
endif()

# mapscope_add_go_program(NAME PACKAGE [FLAGS...])
#
# Builds PACKAGE, a .go file or a folder of the module in the current source
# directory, into the executable NAME of the current binary directory, by the
# target build_NAME (ninja refuses a target named as its own file). FLAGS go to
# `go build`, such as "-gcflags=-N -l" or "-ldflags=-w". Does nothing without
# Go: what needs the program asks for MAPSCOPE_GO too.
function(mapscope_add_go_program name package)
  if(NOT MAPSCOPE_GO)
    return()
  endif()
  set(program "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "*.go" "go.mod")
  # What the user set for other Go programs must not change this one; and
  # asking git for the commit (buildvcs) fails in a clone owned by another user.
  add_custom_command(
    OUTPUT "${program}"
    COMMAND "${CMAKE_COMMAND}" -E env GO111MODULE=on GOFLAGS=-buildvcs=false GOENV=off GOWORK=off
            GOPROXY=off GOTOOLCHAIN=local GOEXPERIMENT= CGO_ENABLED=0 GOGC=400
            "GOCACHE=${PROJECT_BINARY_DIR}/go-cache" "GOPATH=${PROJECT_BINARY_DIR}/go-path"
            "${MAPSCOPE_GO}" build ${ARGN} -o "${program}" "./${package}"
    DEPENDS ${sources}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Building Go program ${name}"
    VERBATIM)
  add_custom_target(build_${name} ALL DEPENDS "${program}")
endfunction()
