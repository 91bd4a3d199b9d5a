# SPDX-License-Identifier: MIT
"""mapscope for Conan 2, built from this very tree, without a network:

    conan create packaging/conan --build=missing
"""

import os
import re
from typing import Any

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

#: what is built and installed, from the root of the tree
_FILES = ("CMakeLists.txt", "LICENSE", "cmake/*", "kernels/*", "runtime/*")
_SCRIPTS = ("core/*", "gdb/*", "lldb/*", "cli/*")


class Mapscope(ConanFile):
    """The library, with the debuggers' scripts in share/mapscope."""

    name = "mapscope"
    license = "MIT"
    description = "What a hash map is doing while it grows, in C++, gdb and LLDB"
    topics = ("hash-map", "debugging", "gdb", "lldb")
    package_type = "library"
    # Conan makes objects of them
    settings: Any = "os", "arch", "compiler", "build_type"
    options: Any = {"shared": [True, False], "fPIC": [True, False], "debug_support": [True, False]}
    default_options = {"shared": False, "fPIC": True, "debug_support": True}
    implements = ["auto_shared_fpic"]

    @property
    def _root(self) -> str:
        return os.path.join(self.recipe_folder, os.pardir, os.pardir)

    def set_version(self) -> None:
        """The one that the scripts have."""
        text = load(self, os.path.join(self._root, "core", "mapscope", "version.py"))
        found = re.search(r'^VERSION = "([0-9.]+)"$', text, re.MULTILINE)
        assert found is not None
        self.version = found.group(1)

    def export_sources(self) -> None:
        """Of the tree, what is installed of it."""
        for pattern in (*_FILES, *_SCRIPTS):
            copy(
                self,
                pattern,
                self._root,
                self.export_sources_folder,
                excludes=("*/__pycache__/*", "*/.mypy_cache/*"),
            )

    def validate(self) -> None:
        """Whether it can be built for this."""
        if self.settings.os != "Linux" or self.settings.arch != "x86_64":
            raise ConanInvalidConfiguration("mapscope is for x86-64 Linux")
        check_min_cppstd(self, 20)

    def layout(self) -> None:
        """As CMake projects have it."""
        cmake_layout(self)

    def generate(self) -> None:
        """What CMake is told."""
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["MAPSCOPE_TESTS"] = "OFF"
        toolchain.cache_variables["MAPSCOPE_EXAMPLES"] = "OFF"
        toolchain.cache_variables["MAPSCOPE_DEBUG_SUPPORT"] = bool(self.options.debug_support)
        # a package's folder is another one on each machine
        toolchain.cache_variables["MAPSCOPE_GDB_SCRIPT_ENTRY"] = "OFF"
        toolchain.generate()

    def build(self) -> None:
        """The library."""
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self) -> None:
        """All that is installed, but for what Conan makes itself."""
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))

    def package_info(self) -> None:
        """As find_package(mapscope) gives it, wherever it comes from."""
        self.cpp_info.libs = ["mapscope_runtime"]
        self.cpp_info.set_property("cmake_file_name", "mapscope")
        self.cpp_info.set_property("cmake_target_name", "mapscope::runtime")
        if not self.options.debug_support:
            self.cpp_info.defines = ["MAPSCOPE_NO_DEBUG"]
        self.runenv_info.append_path("PATH", os.path.join(self.package_folder, "bin"))
