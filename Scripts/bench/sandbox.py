"""Measures the overhead of the sandbox: `clairo transcode` with and without it, alternating."""
import os, shutil, statistics, subprocess, tempfile, time
from argparse import ArgumentParser
from pathlib import Path

from common import build, make_clip, table


def main(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run sandbox", description=__doc__)
    parser.add_argument("--clairo", type=Path, metavar="PATH", help="the clairo to measure (default: build it)")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="runs with and without (default: 7)")
    parser.add_argument("--preset", default="veryfast", metavar="NAME", help="x264 preset (default: veryfast)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put files (default: $TMPDIR or /tmp)")
    parser.add_argument("--peer", default="ffmpeg", metavar="PATH", help="the ffmpeg that makes the clip")
    options = parser.parse_args(arguments)
    clairo = options.clairo or build()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n", flush=True)
    costs = {"off": [], "require": []}
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        work = Path(folder)
        clip = make_clip(options.peer, work / "clip.mp4")
        transcode(clairo, "off", clip, work, options)  # warms the caches
        for run in range(options.runs):
            # Reverses the order every second run, so that a slow phase of the machine affects both equally.
            for mode in sorted(costs, reverse=run % 2 == 1):
                costs[mode].append(transcode(clairo, mode, clip, work, options))
    # Ratios of adjacent runs, because the machine's speed may drift.
    ratios = [[a / b for a, b in zip(*pair)] for pair in zip(costs["require"], costs["off"])]
    table(f"{options.preset}, {options.runs} runs", ["wall s", "CPU s"], [
        (f"--sandbox {mode}", [f"{statistics.median(column):.2f}" for column in zip(*costs[mode])]) for mode in costs
    ] + [("**ratio**, median of pairs", [f"**{statistics.median(column):.4f}**" for column in zip(*ratios)]),
         ("ratio, all pairs", [", ".join(f"{ratio:.3f}" for ratio in sorted(column)) for column in zip(*ratios)])])


def transcode(clairo, mode, clip, work, options):
    """Wall and CPU time, including the child's."""
    output = work / "output"
    begin = time.monotonic()
    process = subprocess.Popen([clairo, "transcode", clip, "-o", output, "--preset", options.preset, "--sandbox", mode,
                                "--no-verify", "--progress", "none"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    if status != 0:
        raise SystemExit(f"clairo transcode --sandbox {mode} failed")
    shutil.rmtree(output)
    return wall, usage.ru_utime + usage.ru_stime
