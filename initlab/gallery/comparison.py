"""Committed results against fresh ones: claims and tables that differ by more than rounding.

Processors differ in the last bits, and trainings carry that on. In the book's trainings, four OpenBLAS
kernels (Haswell, Zen, SkylakeX, Nehalem) differ by at most 0.0037 in any single loss, and by 0.0004 in any
number of a summary. So each table says how far its numbers may move, and the mean of a claim may move by a
quarter of its interval, which is far less than another seed moves it. Deep networks at the edge of what
trains carry last bits as far as another seed would: in `lsuv` up to 0.2 of the test accuracy. They drift, so
a page says which machine measured it, and `machine_note` tells where that is another one.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from initlab.gallery.record import ClaimRecord, ExhibitRecord, MachineRecord, read_record

_RELATIVE = 1e-3


def drifts(committed: Path, fresh: Path) -> list[str]:
    """What differs between two folders of one exhibit.

    Args:
        committed: of the results as they stand; its tables are compared as far as they are there.
        fresh: of the results just measured.

    Raises:
        StorageError: when the claims of one cannot be read.
    """
    old, new = read_record(committed), read_record(fresh)
    lines = list(_claim_drifts(_by_name(old), _by_name(new)))
    for name, tolerance in (new.tables if new else {}).items():
        path = committed / f"{name}.csv"
        if path.is_file():
            lines += [f"{name}.csv: {line}" for line in table_drifts(path, fresh / path.name, tolerance)]
    return lines


def machine_note(committed: Path, fresh: Path) -> str:
    """On which other machine the results were measured, and how to use its kernels; empty for the same one.

    Args:
        committed, fresh: as for `drifts`.
    """
    old, new = (_machines(read_record(folder)) for folder in (committed, fresh))
    if not old or old == new:
        return ""
    before, now = ("; ".join(machine.text for machine in each) for each in (old, new))
    theirs, ours = ({kernels for machine in each for kernels in machine.kernels} for each in (old, new))
    note = f"measured with {before}, and now with {now}. Last bits differ, and some trainings carry them far"
    if theirs == ours or len(theirs) != 1:
        return note
    return f"{note}; OPENBLAS_CORETYPE={theirs.pop()} uses the same kernels"


def _machines(exhibit: ExhibitRecord | None) -> list[MachineRecord]:
    return exhibit.machines if exhibit else []


def _by_name(exhibit: ExhibitRecord | None) -> dict[str, ClaimRecord]:
    return {claim.name: claim for claim in (exhibit.claims if exhibit else [])}


def _claim_drifts(old: dict[str, ClaimRecord], new: dict[str, ClaimRecord]) -> Iterator[str]:
    for name in sorted(set(old) | set(new)):
        if name not in old or name not in new:
            yield f"{name}: is not in both"
        else:
            yield from (f"{name}: {line}" for line in _differences(old[name], new[name]))


def _differences(old: ClaimRecord, new: ClaimRecord) -> Iterator[str]:
    if old.verdict != new.verdict:
        yield f"{old.verdict} is committed, {new.verdict} came out"
    measured_at = [[finding.setting for finding in claim.findings] for claim in (old, new)]
    if measured_at[0] != measured_at[1]:
        yield "the settings are not those committed"
        return
    for before, after in zip(old.findings, new.findings, strict=True):
        width = max(before.high - before.low, after.high - after.low)
        allowed = max(width / 4, _RELATIVE * abs(before.mean), 1e-6)
        if abs(before.mean - after.mean) > allowed:
            change = f"{before.mean} is committed, {after.mean} came out"
            yield f"{before.setting}: {change}" if before.setting else change


def table_drifts(committed: Path, fresh: Path, tolerance: float) -> list[str]:
    """What differs between two tables.

    Args:
        committed, fresh: the files.
        tolerance: how far two numbers may lie from each other, beside a thousandth of their size.
    """
    if not fresh.is_file():
        return ["did not come out"]
    with committed.open(encoding="utf-8") as first, fresh.open(encoding="utf-8") as second:
        rows, new_rows = list(csv.reader(first)), list(csv.reader(second))
    if [len(row) for row in rows] != [len(row) for row in new_rows]:
        return [f"{len(rows)} rows are committed, {len(new_rows)} came out, or their columns differ"]
    return [
        f"line {line}, {rows[0][column]}: {old!r} is committed, {new!r} came out"
        for line, (row, new_row) in enumerate(zip(rows, new_rows, strict=True), start=1)
        for column, (old, new) in enumerate(zip(row, new_row, strict=True))
        if not _same(old, new, tolerance)
    ]


def _same(old: str, new: str, tolerance: float) -> bool:
    try:
        return math.isclose(float(old), float(new), rel_tol=_RELATIVE, abs_tol=tolerance)
    except ValueError:
        return old == new
