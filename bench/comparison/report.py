# SPDX-License-Identifier: Apache-2.0
"""The table and the plot of a comparison."""

import datetime
import os
import statistics
from pathlib import Path

from .works import Figure, Work


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def spread(values: list[float]) -> str:
    """Median (smallest to largest)."""
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


class Row:
    """One figure over all rounds."""

    def __init__(self, rounds: list[Figure]):
        self.first = rounds[0]
        self.ours = [figure.ours for figure in rounds]
        self.theirs = [figure.theirs for figure in rounds if figure.theirs is not None]
        # A round's two figures were taken side by side, so the ratio is of rounds, not of medians.
        self.ratios = [figure.ours / figure.theirs for figure in rounds if figure.theirs]

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.ratios else None

    def met(self) -> bool | None:
        value = statistics.median(self.ours) if self.first.absolute else self.ratio
        if self.first.goal is None or value is None:
            return None
        return value >= self.first.goal if self.first.more_is_better else value <= self.first.goal

    def goal(self) -> str:
        if self.first.goal is None:
            return ""
        sign = ">=" if self.first.more_is_better else "<="
        unit = f" {self.first.unit}" if self.first.absolute else " x"
        verdict = {True: "met", False: "**missed**", None: ""}[self.met()]
        return f"{sign} {self.first.goal:g}{unit}, {verdict}"

    def cells(self) -> list[str]:
        return [self.first.name, self.first.unit, spread(self.theirs) if self.theirs else "", spread(self.ours),
                f"{self.ratio:.2f}" if self.ratio is not None else "", self.goal()]


class Result:
    def __init__(self, work: Work, rounds: list[list[Figure]]):
        self.work = work
        self.rows = [Row(list(figures)) for figures in zip(*rounds)]

    def text(self) -> str:
        lines = [f"## {self.work.name}: {self.work.says}", "", "| work | unit | compared with | ours | ratio | goal |",
                 "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


def machine() -> str:
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))) / 2**20
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB"


def plot(rows: list[Row]) -> str:
    """Bars of the ratios on a logarithmic scale; the line is 1: as fast as what it is compared with."""
    import math
    bar, left, width = 22, 330, 420
    largest = max([2.0, *(max(row.ratio, 1 / row.ratio) for row in rows)])
    scale = width / (2 * math.log(largest))
    middle = left + width / 2
    height = bar * len(rows) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{left}" y="16">ours / compared with (log scale; green: better, red: worse)</text>']
    for i, row in enumerate(rows):
        top = 26 + i * bar
        length = math.log(row.ratio) * scale
        better = (row.ratio >= 1) == row.first.more_is_better
        parts.append(f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{row.first.name}</text>')
        parts.append(f'<rect x="{min(middle, middle + length):.1f}" y="{top + 2}" width="{max(abs(length), 1):.1f}" height="{bar - 7}" '
                     f'fill="{"#4a9" if better else "#c65"}"/>')
        parts.append(f'<text x="{left + width + 8}" y="{top + 13}">{row.ratio:.2f} x</text>')
    parts.append(f'<line x1="{middle}" y1="22" x2="{middle}" y2="{height - 10}" stroke="black"/></svg>')
    return "\n".join(parts) + "\n"


def write(folder: Path, results: list[Result], rounds: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for result in results for row in result.rows if row.ratio]
    (folder / "ratios.svg").write_text(plot(rows))
    head = f"""# Benchmarks

Written by `bench/compare --rounds {rounds}` on {datetime.date.today()}: {machine()}. Python is TransferQueue 0.1.11 with torch tensors; all nodes
and clients ran on this machine, over loopback TCP. Each figure is the median of the rounds, with the smallest and the largest; the ratio is the
median of the rounds' ratios. Machines differ and are noisy: compare figures of one run only.

![ratios](ratios.svg)

"""
    (folder / "README.md").write_text(head + "\n".join(result.text() for result in results))
