# SPDX-License-Identifier: MIT
"""Packets of a trace that Perfetto opens (ui.perfetto.dev): tracks, slices, instants, counters.

A trace is its packets behind each other, so a file is complete after each of them. Facts: the
numbers of fields and values in github.com/google/perfetto, protos/perfetto/trace/: trace.proto,
trace_packet.proto, clock_snapshot.proto and track_event/.
"""

from typing import IO

from ..program.protobuf import bytes_field, number_field, text_field

# fields of Trace and TracePacket
_PACKET = 1
_CLOCK_SNAPSHOT, _TIMESTAMP, _SEQUENCE, _EVENT, _FLAGS, _CLOCK, _TRACK = 6, 8, 10, 11, 13, 58, 60
# of ClockSnapshot and its Clock
_CLOCKS, _PRIMARY_CLOCK, _CLOCK_ID, _CLOCK_TIME = 1, 2, 1, 2
# of TrackDescriptor and CounterDescriptor
_UUID, _NAME, _PARENT, _COUNTER, _ORDER, _UNIT = 1, 2, 5, 8, 11, 3
# of TrackEvent and DebugAnnotation
_NOTE, _TYPE, _TRACK_UUID, _EVENT_NAME, _VALUE = 4, 9, 11, 23, 30
_NOTE_NAME, _NOTE_TEXT = 10, 6

_REALTIME = 1
_CHRONOLOGICAL = 2
_STATE_CLEARED = 1
_BEGIN, _END, _INSTANT, _COUNT = 1, 2, 3, 4
#: units of counters
COUNT, BYTES = 2, 3
#: one writer writes all packets
_ONE = 1

#: of a name or a note, this many characters are kept
_LONGEST = 1000
_MOST = (1 << 63) - 1


class PerfettoFile:
    """Writes packets; times are nanoseconds since 1970.

    :param file: each packet is there when the call that writes it returns
    """

    def __init__(self, file: IO[bytes], now: int) -> None:
        self._file = file
        self._tracks = 0
        clock = number_field(_CLOCK_ID, _REALTIME) + number_field(_CLOCK_TIME, now)
        snapshot = bytes_field(_CLOCKS, clock) + number_field(_PRIMARY_CLOCK, _REALTIME)
        self._write(bytes_field(_CLOCK_SNAPSHOT, snapshot) + number_field(_FLAGS, _STATE_CLEARED))

    def _write(self, packet: bytes) -> None:
        self._file.write(bytes_field(_PACKET, packet + number_field(_SEQUENCE, _ONE)))
        self._file.flush()

    def track(self, name: str, parent: int = 0, unit: int = 0) -> int:
        """Declare a track.

        :param parent: the track that it is shown beneath; 0: none
        :param unit: of a counter's values; 0: it has slices and instants
        :return: its number
        """
        self._tracks += 1
        track = number_field(_UUID, self._tracks) + text_field(_NAME, name[:_LONGEST])
        if parent:
            track += number_field(_PARENT, parent)
        if unit:
            track += bytes_field(_COUNTER, number_field(_UNIT, unit))
        else:
            track += number_field(_ORDER, _CHRONOLOGICAL)
        self._write(bytes_field(_TRACK, track))
        return self._tracks

    def begin(self, track: int, time: int, name: str, note: str = "") -> None:
        """Begin a slice; :param note: shown where it is selected"""
        self._event(track, time, _BEGIN, name, note)

    def end(self, track: int, time: int) -> None:
        """End the slice that was begun last."""
        self._event(track, time, _END, "", "")

    def instant(self, track: int, time: int, name: str, note: str = "") -> None:
        """Mark a moment; :param note: shown where it is selected"""
        self._event(track, time, _INSTANT, name, note)

    def count(self, track: int, time: int, value: int) -> None:
        """A counter's value from now on."""
        fields = number_field(_TYPE, _COUNT) + number_field(_TRACK_UUID, track)
        self._timed(time, fields + number_field(_VALUE, max(0, min(value, _MOST))))

    def _event(self, track: int, time: int, type: int, name: str, note: str) -> None:
        fields = number_field(_TYPE, type) + number_field(_TRACK_UUID, track)
        if name:
            fields += text_field(_EVENT_NAME, name[:_LONGEST])
        if note:
            text = text_field(_NOTE_NAME, "event") + text_field(_NOTE_TEXT, note[:_LONGEST])
            fields += bytes_field(_NOTE, text)
        self._timed(time, fields)

    def _timed(self, time: int, event: bytes) -> None:
        clock = number_field(_TIMESTAMP, max(0, min(time, _MOST))) + number_field(_CLOCK, _REALTIME)
        self._write(clock + bytes_field(_EVENT, event))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
