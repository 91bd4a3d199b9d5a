# SPDX-License-Identifier: MIT
"""Figures for readers: sizes, ratios, lengths of chains, parts of a whole; "?" is not known."""

from typing import Dict, Optional

from .facts import Coverage

_BAR = 40


def optional(value: Optional[int]) -> str:
    """A number that may not be known."""
    return "?" if value is None else str(value)


def ratio_text(ratio: Optional[float]) -> str:
    """A ratio."""
    return "?" if ratio is None else f"{ratio:.2f}"


def size_text(size: Optional[int]) -> str:
    """Bytes."""
    if size is None:
        return "?"
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def coverage_text(read: Optional[Coverage], unit: str) -> str:
    """What figures are of, where they are not of all."""
    if read is None:
        return ""
    return f" (of the {read[0]} of {optional(read[1])} {unit}s that were looked at)"


def coverage_form(read: Optional[Coverage]) -> Dict[str, object]:
    """`read` of what was not looked at whole."""
    return {} if read is None else {"read": {"looked_at": read[0], "of": read[1]}}


def chains_text(chains: Dict[int, int], partial: bool, unit: str = "bucket") -> str:
    """Chain lengths, longest last.

    :param partial: whether not all could be looked at
    :param unit: what the lengths count
    """
    if not chains:
        return "?" if partial else "none"
    parts = [f"{number} of {length}" for length, number in chains.items()]
    if len(parts) > 8:
        parts = parts[:7] + ["..."] + parts[-1:]
    return ", ".join(parts) + (f" {unit}" if list(chains) == [1] else f" {unit}s")


def bar(progress: float, length: int = _BAR) -> str:
    """A progress bar.

    :param length: of what is between its ends
    """
    done = int(max(0.0, min(1.0, progress)) * length)
    return "[" + "#" * done + "." * (length - done) + "]"
