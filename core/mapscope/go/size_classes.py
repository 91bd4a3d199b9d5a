# SPDX-License-Identifier: MIT
"""Sizes of objects that Go's allocator hands out."""

from bisect import bisect_left

#: sizes that Go's allocator hands out up to 32 KiB, in bytes (runtime/sizeclasses.go, the
#: same from 1.17 to 1.27); beyond, whole pages of 8 KiB
_SIZE_CLASSES = (
    *(8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320),
    *(352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792),
    *(2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192),
    *(9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576),
    *(27264, 28672, 32768),
)
_PAGE = 8192


def allocated(size: int) -> int:
    """Bytes that Go's allocator sets aside for an object (roundupsize in runtime/msize.go)."""
    at = bisect_left(_SIZE_CLASSES, size)
    if at < len(_SIZE_CLASSES):
        return _SIZE_CLASSES[at]
    return (size + _PAGE - 1) // _PAGE * _PAGE
