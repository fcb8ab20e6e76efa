"""Measures the overhead of running a task in a child process or in a container.

A short clip passes through the whole pipeline with each executor, one task at a time. The cost of starting a worker (which probes
its sandbox, also in a container) is measured with an idle worker and subtracted.
"""
import os, sqlite3, statistics, subprocess, sys, tempfile, time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from common import build, make_clip, table

EXECUTORS = ("inline", "process", "docker")


def main(arguments):
    options = parse(arguments)
    clairo = options.clairo or build()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {options.runs} runs, alternating\n", flush=True)
    walls = {name: [] for name in EXECUTORS}
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        work = Path(folder)
        clip = make_clip(options.peer, work / "clip.mp4", seconds=2, width=320, height=180)
        tasks = 0
        for run in range(options.runs + 1):
            for name in EXECUTORS if run % 2 else reversed(EXECUTORS):
                home = work / f"{name}-{run}"
                idle = timed(clairo, ["consume", "--until-idle"], name, home, options)
                whole = timed(clairo, ["run", clip], name, home, options)
                with sqlite3.connect(home / "clairo.db") as database:
                    tasks = database.execute("SELECT count(*) FROM tasks").fetchone()[0]
                # The first run warms caches.
                if run:
                    walls[name].append((idle, whole))
    rows = []
    base = None
    for name in EXECUTORS:
        idle, whole = (statistics.median(column) for column in zip(*walls[name]))
        base = base if base is not None else whole - idle
        rows.append((name, [f"{idle:.2f}", f"{whole:.2f}", f"{(whole - idle - base) / tasks:.2f}"]))
    table(f"{tasks} tasks", ["a worker's start s", "start and video s", "each task over inline s"], rows)


def timed(clairo, command, executor, home, options):
    environment = os.environ | {"CLAIRO_HOME": str(home)}
    command = [str(clairo), *map(str, command), "--executor", executor, "--concurrency", "1"]
    if executor == "docker":
        command += ["--docker-image", options.image]
    begin = time.monotonic()
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    wall = time.monotonic() - begin
    if result.returncode:
        sys.exit(f"{' '.join(command)}\nended with {result.returncode}:\n{result.stderr[-2000:]}")
    return wall


def parse(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run docker", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="clairo", help="an image with the same clairo (default: clairo); DOCKER_HOST selects the daemon")
    parser.add_argument("--clairo", type=Path, metavar="PATH", help="the clairo to measure (default: build it)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each (default: 5)")
    parser.add_argument("--peer", default="ffmpeg", metavar="PATH", help="the ffmpeg that makes the clip")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put files (default: $TMPDIR or /tmp)")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    return options
