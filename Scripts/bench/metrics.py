"""Measures the overhead of metrics: a worker scraped every second against one without metrics, and the time to serve a page."""
import contextlib, http.client, os, re, statistics, subprocess, tempfile, threading, time
from argparse import ArgumentParser
from pathlib import Path

from common import Programs, Site, end, make_clip, say, table


def main(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run metrics", description=__doc__)
    parser.add_argument("--clairo", type=Path, metavar="PATH",
                        help="the clairo to measure, beside clairo-bench and clairo-mock-kafka (default: build them)")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="runs with and without (default: 7)")
    parser.add_argument("--seconds", type=float, default=10, metavar="N", help="length of the clip (default: 10)")
    parser.add_argument("--preset", default="veryfast", choices=["medium", "veryfast", "ultrafast"],
                        help="x264 preset (default: veryfast)")
    parser.add_argument("--pages", type=int, default=500, metavar="N", help="pages to request (default: 500)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put files (default: $TMPDIR or /tmp)")
    parser.add_argument("--peer", default="ffmpeg", metavar="PATH", help="the ffmpeg that makes the clip")
    options = parser.parse_args(arguments)
    programs = Programs(options.clairo)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder, contextlib.ExitStack() as stack:
        work = Path(folder)
        clip = make_clip(options.peer, work / "clip.mp4", seconds=options.seconds)
        cost(Site(programs, work / "cost", stack), clip, options)
        pages(Site(programs, work / "pages", stack, kafka=True), clip, options)


def cost(site, clip, options):
    costs = {False: [], True: []}
    for run in range(options.runs):
        # Reverses the order every second run, so that a slow phase of the machine affects both equally.
        for counted in sorted(costs, reverse=run % 2 == 1):
            say(f"{'with' if counted else 'without'} metrics, run {run + 1} of {options.runs}")
            site.upload(clip, options.preset)
            costs[counted].append(consume(site, counted))
    # Ratios of adjacent runs, because the machine's speed may drift.
    ratios = [[a / b for a, b in zip(*pair)] for pair in zip(costs[True], costs[False])]
    print(f"clairo consume on {options.seconds:g} s of 1080p, {options.preset}; medians of {options.runs} alternating runs\n")
    table("", ["wall s", "CPU s", "the worker's own CPU s"], [
        (name, [f"{statistics.median(column):.2f}" for column in zip(*costs[counted])])
        for name, counted in (("without", False), ("with --metrics-listen, scraped every second", True))
    ] + [("**ratio**, median of pairs", [f"**{statistics.median(column):.4f}**" for column in zip(*ratios)]),
         ("ratio, all pairs", [", ".join(f"{ratio:.3f}" for ratio in sorted(column)) for column in zip(*ratios)])])


def consume(site, counted):
    """Wall time, CPU time including task processes, and the worker's own CPU time, where metrics cost."""
    begin = time.monotonic()
    process = site.start("consume", "--until-idle", "--concurrency", 1, *(["--metrics-listen", "127.0.0.1:0"] if counted else []),
                         errors=subprocess.PIPE)
    asking = None
    stopped = threading.Event()
    for line in process.stderr:
        if asking is None and (address := listening(line)):
            asking = threading.Thread(target=ask_each_second, args=(address, stopped))
            asking.start()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 took it from Popen
    stopped.set()
    if asking:
        asking.join()
    if process.returncode != 0 or counted != (asking is not None):
        raise SystemExit(f"clairo consume ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, own


def listening(line):
    found = re.search(rb"metrics on http://([^/]+)/metrics", line)
    return found and found[1].decode()


def ask_each_second(address, stopped):
    with contextlib.suppress(OSError):  # the worker ends in the middle of it
        while not stopped.wait(1):
            page(address)


def page(address):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", "/metrics")
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    if reply.status != 200:
        raise SystemExit(f"{address}/metrics: {reply.status}")
    return text


def pages(site, clip, options):
    """Times pages of an idle system with some data, each on a new connection."""
    with site.relay():
        site.upload(clip, options.preset)
        subprocess.run([site.clairo, "consume", "--until-idle"], env=site.env, check=True, stderr=subprocess.DEVNULL)
    rows = []
    for words in (["serve-metrics", "--listen", "127.0.0.1:0", "--bucket-usage"], ["consume", "--metrics-listen", "127.0.0.1:0"]):
        process = site.start(*words, errors=subprocess.PIPE)
        address = next(address for line in process.stderr if (address := listening(line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        time.sleep(3)  # connections to the brokers are made
        times, size = [], 0
        for _ in range(options.pages):
            begin = time.monotonic()
            size = len(page(address))
            times.append((time.monotonic() - begin) * 1000)
            time.sleep(0.02)  # longer than any answer is kept, in all
        end(process)
        times.sort()
        rows.append((f"`{words[0]}`", [f"{times[len(times) // 2]:.1f}", f"{times[len(times) * 99 // 100]:.1f}",
                                       f"{times[-1]:.1f}", f"{size / 1000:.0f}"]))
    print(f"{options.pages} pages of an idle system (SQLite, mock brokers)\n")
    table("/metrics", ["median ms", "p99 ms", "max ms", "kB"], rows)
