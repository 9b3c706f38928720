# SPDX-License-Identifier: Apache-2.0
"""What a soak found: a table for the terminal, and a page with a picture for the docs, both out of its JSON."""

import html
import math
import os
from collections import Counter
from pathlib import Path

MIB = 1 << 20
ROWS_MAX = 13  # of the page's table: one every 5 minutes of an hour


def machine() -> str:
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))) / 2**20
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB"


def aligned(rows: list[list[str]]) -> str:
    """Columns as wide as they must be; the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)  # fmt: skip


def of_units(load: dict, key: str) -> list:
    return [values[key] for name, values in load.items() if name != "controller" and values]


def intervals(result: dict) -> list[dict]:
    """The samples put together: each interval with what was done in it, and the load at its end and at most."""
    samples, seconds = result["samples"], result["options"]["seconds"]
    length = 300 if seconds > 300 else max(result["options"]["interval"], seconds / ROWS_MAX)
    found, lag = [], result["options"]["interval"] / 2  # a sample speaks of the time before it
    for index in range(math.ceil(seconds / length)):
        end = min((index + 1) * length, seconds)
        mine = [s for s in samples if index * length <= s["t"] - lag < (index + 1) * length]
        if not mine:
            continue
        loads = [s["nodes"] for s in mine]
        found.append({
            "end": end, "ops": sum(s["ops"] for s in mine), "errors": sum(s["errors"] for s in mine),
            "seconds": sum(s["seconds"] for s in mine), "faults": sum(s["faults"] for s in mine),
            "mib": sum(s["bytes"] for s in mine) / MIB, "cpu": sum(s["cpu"] for s in mine),
            "controller": max((load["controller"] or {"rss": 0})["rss"] for load in loads),
            "unit": max((rss for load in loads for rss in of_units(load, "rss")), default=0),
            "fds": max((fds for load in loads for fds in (v["fds"] for v in load.values() if v)), default=0),
            "threads": max((n for load in loads for n in (v["threads"] for v in load.values() if v)), default=0)})  # fmt: skip
    return found


INTERVAL_HEAD = ["until", "calls", "calls/s", "failed", "faults", "MiB/s", "cores", "controller MiB", "unit MiB",
                 "descriptors", "threads"]  # fmt: skip


def interval_rows(result: dict) -> list[list[str]]:
    rows = []
    for i in intervals(result):
        seconds = i["seconds"] or 1
        until = f"{i['end'] / 60:.0f} min" if result["options"]["seconds"] > 300 else f"{i['end']:.0f} s"
        rows.append([until, f"{i['ops']:,}", f"{i['ops'] / seconds:.0f}", f"{i['errors']:,}", str(i["faults"]),
                     f"{i['mib'] / seconds:.1f}", f"{i['cpu'] / seconds:.2f}", f"{i['controller'] / MIB:.0f}",
                     f"{i['unit'] / MIB:.0f}", str(i["fds"]), str(i["threads"])])  # fmt: skip
    return rows


END_HEAD = ["node", "MiB at start", "MiB at end", "MiB allowed", "descriptors", "at end", "threads", "at end"]


def end_rows(result: dict) -> list[list[str]]:
    rows = []
    for name, floor in result["floor"].items():
        end = result["end"].get(name) or {"rss": 0, "fds": 0, "threads": 0}
        rows.append([name, *(f"{value / MIB:.0f}" for value in (floor["rss"], end["rss"], floor["rss"] + result["rss_allowed"])),
                     *(str(value) for value in (floor["fds"], end["fds"], floor["threads"], end["threads"]))])  # fmt: skip
    return rows


def fault_rows(result: dict) -> list[list[str]]:
    return [[what, str(count)] for what, count in sorted(Counter(what for _, what in result["faults"]).items())]


def call_rows(result: dict) -> list[list[str]]:
    failed = Counter()
    kinds = {}
    for name, count in result["errors"].items():
        call, _, error = name.rpartition(" ")
        failed[call] += count
        kinds.setdefault(call, []).append(f"{error} {count:,}")
    calls = sorted(set(result["ops"]) | set(failed))
    return [[call, f"{result['ops'].get(call, 0):,}", f"{failed[call]:,}", ", ".join(sorted(kinds.get(call, [])))] for call in calls]


def facts(result: dict) -> list[list[str]]:
    return [["calls that succeeded", f"{sum(result['ops'].values()):,}"],
            ["calls that failed", f"{sum(result['errors'].values()):,}"],
            ["of these while no node was down, stopped or being replaced", f"{sum(result['unexplained'].values()):,}"],
            ["rows reported as lost with their unit's incarnation", f"{result['lost_rows']:,}"],
            ["samples given to tasks", f"{result['fetched']:,}"],
            ["hostile messages", f"{result['bursts']:,}"],
            ["most that a C++ call outlived its deadline by", f"{max(0.0, result['late']):.2f} s"],
            *([f"longest that {what}", f"{seconds:.2f} s"] for what, seconds in sorted(result["stalls"].items())),
            ["processor, nodes and clients", f"{result['cpu'] / max(1, result['seconds']):.2f} cores"],
            ["guarantees violated", f"{result['violation_count']:,}"]]  # fmt: skip


def terminal(result: dict) -> str:
    parts = [aligned([INTERVAL_HEAD, *interval_rows(result)]), aligned([END_HEAD, *end_rows(result)]),
             aligned([["fault", "times"], *fault_rows(result)]), aligned([["call", "done", "failed", ""], *call_rows(result)]),
             aligned(facts(result))]  # fmt: skip
    parts += ["\n".join(f"VIOLATED: {what}" for what in result["violations"])] if result["violations"] else []
    return "\n\n".join(parts)


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def page(result: dict, picture: str) -> str:
    options = result["options"]
    verdict = "No guarantee was violated." if not result["violation_count"] else (
        f"**{result['violation_count']} violations**, the first: {html.escape(result['violations'][0])}")  # fmt: skip
    return f"""# Soak: load and faults for {duration(options["seconds"])}

`tests/soak/soak {result["command"]}` on {result["date"]}, {result["machine"]}. It starts a controller and {options["units"]}
storage units, {options["clients"]} clients in C++ and {options["python"]} in Python (unmodified {result["python_version"]}), a process each; the clients put, overwrite, get,
list, fetch and clear, and compare each byte, while nodes and clients are killed, stopped and attacked. `tests/soak/soak --help` says
what it checks. This page is written by its `--report`.

{verdict}

{markdown(["", ""], facts(result))}

![memory of the nodes and calls a second over the run]({picture})

## By interval

Memory, descriptors and threads are the most that any node had in the interval.

{markdown(INTERVAL_HEAD, interval_rows(result))}

## After everything was cleared

{markdown(END_HEAD, end_rows(result))}

## Faults

{markdown(["fault", "times"], fault_rows(result))}

## Calls

Those that failed met a node that was dead, stopped or being replaced, or samples that were lost with their unit or cleared meanwhile;
`nothing` is a Python fetch that found too few samples.

{markdown(["call", "done", "failed", "with"], call_rows(result))}
"""


def duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


# --- the picture

WIDTH, HEIGHT, LEFT, GAP = 760, 150, 60, 50
COLOURS = ["#3274d9", "#e0752d", "#37872d", "#c4162a", "#8f3bb8", "#0a8f96"]


def _curve(points: list[tuple[float, float]], top: float, end: float, largest: float, colour: str) -> str:
    path = " ".join(f"{LEFT + t / end * WIDTH:.1f},{top + HEIGHT - value / largest * HEIGHT:.1f}" for t, value in points)
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="{path}"/>'


def _panel(top: float, title: str, end: float, curves: dict[str, list[tuple[float, float]]]) -> list[str]:
    largest = max([1.0, *(value for points in curves.values() for _, value in points)]) * 1.1
    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{html.escape(title)}</text>',
             f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>']  # fmt: skip
    for share in (0, 0.5, 1):
        y = top + HEIGHT * (1 - share)
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{largest * share:.0f}</text>')
    x = LEFT + 200
    for i, (name, points) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        parts.append(_curve(points, top, end, largest, colour))
        parts.append(f'<text x="{x}" y="{top - 8}" fill="{colour}">{html.escape(name)}</text>')
        x += 30 + 7 * len(name)
    return parts


def picture(result: dict) -> str:
    samples = result["samples"]
    end = max([1.0, *(s["t"] for s in samples)])
    memory = {name: [(s["t"], s["nodes"][name]["rss"] / MIB) for s in samples if s["nodes"].get(name)] for name in result["floor"]}
    work = {"calls/s": [(s["t"], s["ops"] / max(0.1, s["seconds"])) for s in samples],
            "failed/s": [(s["t"], s["errors"] / max(0.1, s["seconds"])) for s in samples]}  # fmt: skip
    parts = _panel(30, "resident MiB", end, memory) + _panel(30 + HEIGHT + GAP, "clients", end, work)
    bottom = 30 + 2 * HEIGHT + GAP
    parts += [f'<text x="{LEFT + WIDTH * i / 6}" y="{bottom + 18}" text-anchor="middle">{axis(end * i / 6, end)}</text>' for i in range(7)]
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{bottom + 30}" '
            f'font-family="sans-serif" font-size="12" fill="#222">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n')  # fmt: skip


def axis(seconds: float, end: float) -> str:
    return f"{seconds / 60:.0f} min" if end > 300 else f"{seconds:.0f} s"


def write_page(result: dict, path: Path) -> None:
    drawing = path.with_suffix(".svg")
    drawing.write_text(picture(result))
    path.write_text(page(result, drawing.name))
