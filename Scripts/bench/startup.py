"""Measures how long programs take to start, and their peak memory: `clairo --version` beside `ffmpeg -version`."""
import os, statistics, subprocess, time
from argparse import ArgumentParser
from pathlib import Path

from common import build, table


def main(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run startup", description=__doc__)
    parser.add_argument("--clairo", type=Path, metavar="PATH", help="the clairo to measure (default: build it)")
    parser.add_argument("--peer", default="ffmpeg", metavar="PATH", help="the ffmpeg to compare with")
    parser.add_argument("--runs", type=int, default=40, metavar="N", help="runs of each (default: 40)")
    options = parser.parse_args(arguments)
    clairo = str(options.clairo or build())
    commands = {
        "`clairo --version`": [clairo, "--version"],
        "`clairo --help`": [clairo, "--help"],
        "`ffmpeg -version`": [options.peer, "-version"],
    }
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {os.stat(clairo).st_size / 1e6:.1f} MB program, "
          f"{libraries(clairo)} shared libraries, {libraries(options.peer)} of the peer; {options.runs} alternating runs\n", flush=True)
    costs = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    rows = []
    for name, found in costs.items():
        wall, cpu, memory = zip(*found)
        rows.append((name, [f"{1000 * statistics.median(wall):.1f}", f"{1000 * min(wall):.1f}",
                            f"{1000 * statistics.median(cpu):.1f}", f"{statistics.median(memory) / 1e3:.1f}"]))
    table("", ["ms, median", "ms, least", "CPU ms", "MB"], rows)


def run(command):
    """Wall time, CPU time and peak memory in kB."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 took it from Popen
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def libraries(program):
    lines = subprocess.run(f'ldd "$(command -v "{program}")"', shell=True, check=True, capture_output=True, text=True).stdout
    return lines.count("=>")
