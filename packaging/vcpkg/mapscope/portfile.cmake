# SPDX-License-Identifier: MIT
#
# mapscope for vcpkg, an overlay port that builds this very tree, without a network:
#
#   vcpkg install mapscope --overlay-ports=packaging/vcpkg
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

# A package's folder is another one on each machine, so that no program names its script to gdb.
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DMAPSCOPE_TESTS=OFF -DMAPSCOPE_EXAMPLES=OFF -DMAPSCOPE_GDB_SCRIPT_ENTRY=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME mapscope CONFIG_PATH lib/cmake/mapscope)

# The command is a script: it stands with its package, and runs from there.
file(INSTALL "${SOURCE_PATH}/cli/mapscope" DESTINATION "${CURRENT_PACKAGES_DIR}/share/mapscope/cli"
     USE_SOURCE_PERMISSIONS)
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/bin" "${CURRENT_PACKAGES_DIR}/debug/bin"
     "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
