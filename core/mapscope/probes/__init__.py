# SPDX-License-Identifier: MIT
"""Scripts for tracers, written from a program's file.

program_file     the file as a Target: memory as it is before the program starts
script           a script as it is put together, and texts in the words of bpftrace
call_sites       where machine code calls a function
go_script        of a Go program, by uprobes
usdt_script      of a program with the C++ runtime, by its own probes
"""
