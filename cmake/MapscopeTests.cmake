# SPDX-License-Identifier: MIT
#
# Helpers for tests that need something which may be missing: such a test is
# still registered, and CTest reports it as skipped; its output and the
# configuration's say why.
include_guard(GLOBAL)

# The exit status by which a test says that it could not run.
set(MAPSCOPE_SKIP 77)

# mapscope_skip_test(NAME REASON)
# Registers NAME as a test that is skipped because of REASON.
function(mapscope_skip_test name reason)
  message(STATUS "Test ${name} will be skipped: ${reason}")
  add_test(NAME ${name} COMMAND sh -c "echo \"skipped: $1\"; exit ${MAPSCOPE_SKIP}" sh "${reason}")
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE ${MAPSCOPE_SKIP})
endfunction()
