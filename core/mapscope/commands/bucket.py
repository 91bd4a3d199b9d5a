# SPDX-License-Identifier: MIT
"""`map bucket`: one bucket chain, cell by cell."""

import argparse
from typing import Dict, Iterator

from ..maps.facts import Bucket, Cell, Chain, Node, NodeChain
from ..maps.view import MapView
from ..program.values import dumps, escape, json_form, text_form
from ..records import dataclass
from .base import Command, Context, Result, add_map, natural, problem_lines


@dataclass
class BucketResult(Result):
    """A bucket and its overflow chain."""

    view: MapView
    chain: Chain
    elements: int

    def json(self) -> Iterator[str]:
        view, chain = self.view, self.chain
        if isinstance(chain, NodeChain):
            yield dumps(self._node_form(chain)) + "\n"
            return
        yield dumps(
            {
                "schema": "mapscope.bucket/1",
                "address": hex(view.address or 0),
                "type": view.type_name,
                "array": chain.array or None,
                "bucket": chain.index,
                "evacuated": chain.evacuated,
                "buckets": [_bucket_form(bucket) for bucket in chain.buckets],
                "problems": view.problems,
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        view, chain = self.view, self.chain
        if isinstance(chain, NodeChain):
            yield from self._node_lines(chain)
            yield from problem_lines(view.problems)
            return
        state = ", evacuated" if chain.evacuated else ""
        yield (
            f"{escape(view.type_name)} {view.address or 0:#x}, "
            f"{f'{chain.array} {chain.unit}'.strip()} {chain.index}{state}\n"
        )
        for bucket in chain.buckets:
            name = chain.unit if bucket.chain == 0 else f"overflow bucket {bucket.chain}"
            yield f"  {name} at {bucket.address:#x}\n"
            for cell in bucket.cells:
                yield self._cell_line(cell)
            overflow = hex(bucket.overflow) if bucket.overflow else "nil"
            if bucket.overflow_offset is not None:
                yield f"    +{bucket.overflow_offset:<5} overflow  {overflow}\n"
        yield from problem_lines(view.problems)

    def _node_form(self, chain: NodeChain) -> Dict[str, object]:
        return {
            "schema": "mapscope.bucket/1",
            "address": hex(self.view.address or 0),
            "type": self.view.type_name,
            "bucket": chain.index,
            **chain.form(),
            "nodes": [self._form_of(node) for node in chain.nodes],
            "problems": self.view.problems,
        }

    def _form_of(self, node: Node) -> Dict[str, object]:
        form: Dict[str, object] = {
            "address": hex(node.address),
            "hash": None if node.hash is None else hex(node.hash),
            "key": json_form(node.key),
        }
        if self.view.has_values:
            form["value"] = json_form(node.value)
        form["next"] = hex(node.following) if node.following else None
        return form

    def _node_lines(self, chain: NodeChain) -> Iterator[str]:
        view = self.view
        yield (
            f"{escape(view.type_name)} {view.address or 0:#x}, bucket {chain.index}, "
            f"{chain.state()}\n"
        )
        for line in chain.about():
            yield f"  {escape(line)}\n"
        for number, node in enumerate(chain.nodes):
            known = "?" if node.hash is None else f"{node.hash:#x}"
            line = f"  node {number}  at {node.address:#x}  hash {known}"
            line += f"  [{text_form(node.key, self.elements)}]"
            if view.has_values:
                line += f" = {text_form(node.value, self.elements)}"
            yield line + "\n"

    def _cell_line(self, cell: Cell) -> str:
        mark = "?" if cell.tophash is None else f"{cell.tophash:#04x}"
        line = (
            f"    cell {cell.index}  {self.chain.mark} {mark}  "
            f"key +{cell.key_offset}  elem +{cell.elem_offset}  {cell.state}"
        )
        if cell.live and cell.key is not None:
            line += f"  [{text_form(cell.key, self.elements)}] = "
            line += text_form(cell.value, self.elements)
        elif cell.live:
            line += f"  [nil] = {text_form(cell.value, self.elements)}"
        if cell.moved_to is not None:
            line += f"  -> {cell.moved_to.text()}"
        if cell.in_flight:
            line += "  (in flight)"
        return line + "\n"


def _bucket_form(bucket: Bucket) -> Dict[str, object]:
    return {
        "address": hex(bucket.address),
        "chain": bucket.chain,
        "cells": [_cell_form(cell) for cell in bucket.cells],
        "overflow_offset": bucket.overflow_offset,
        "overflow": hex(bucket.overflow) if bucket.overflow else None,
    }


def _cell_form(cell: Cell) -> Dict[str, object]:
    form: Dict[str, object] = {
        "cell": cell.index,
        "address": hex(cell.address),
        "key_offset": cell.key_offset,
        "value_offset": cell.elem_offset,
        "tophash": cell.tophash,
        "state": cell.state,
    }
    if cell.live:
        form["key"] = json_form(cell.key)
        form["value"] = json_form(cell.value)
    if cell.moved_to is not None:
        form["moved_to"] = cell.moved_to.json_form()
    if cell.in_flight:
        form["in_flight"] = True
    return form


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser)
    parser.add_argument("bucket", metavar="N", type=natural, help="the bucket's index, from 0")
    parser.add_argument(
        "--old", action="store_true", help="of the old array, while the map is growing"
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    view = context.map_of(args)
    return BucketResult(view, view.chain(args.bucket, args.old), session.target.element_limit())


COMMAND = Command(
    "bucket",
    "Show one bucket and its overflow chain cell by cell: the tophash byte, what state that is,\n"
    "key and value, and for an evacuated old bucket where each cell went. Of a Swiss map (Go 1.24\n"
    "and later): the group N, counted through all tables, with its control bytes.\n\n"
    "example: map bucket m 3 --old",
    _arguments,
    _run,
)
