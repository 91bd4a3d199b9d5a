# SPDX-License-Identifier: MIT
"""mapscope's version, the one place where it stands.

CMake reads this line, for the library, its package and the manual pages; debian/changelog and
CHANGELOG.md begin with the same number, which a test holds them to.
"""

VERSION = "0.1.0"
