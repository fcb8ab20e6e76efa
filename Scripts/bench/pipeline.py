"""Measures the overhead of the pipeline, and how the work scales.

a  one long film: one worker on one core against two workers on two cores
b  the time from the end of an upload to the start of its first chunk
c  many jobs with empty tasks: jobs per second, database statements, memory
d  a model of up to 1000 workers on an hour-long film, based on the results of a, b and c
"""
import contextlib, heapq, json, math, os, random, shutil, statistics, subprocess, sys, tempfile, threading, time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from common import Programs, Site, end, kafka_cluster, make_clip, mariadb, say, table

# Model parameters for parts that are not measured in this run: a release build on two cores of an AMD EPYC (Zen 4, virtual
# machine), with files and databases on disk.
MEASURED = {
    "chunks": 60, "chunk": 60.0, "puts": 30, "plan": 3.0, "audio": 40.0, "finish": 30.0, "gap": 0.1,  # a, for an hour of film
    "overhead": 0.2,                                                                                  # b
    "tasks": 400.0, "commits": 1500.0,                                                                # c, in a second
}


def main(arguments):
    options = parse(arguments)
    programs = Programs(options.clairo)
    measured = dict(MEASURED)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        work = Path(folder)
        if "a" in options.parts:
            measured |= spread(programs, work, options)
        if "b" in options.parts:
            measured |= overhead(programs, work, options)
        if "c" in options.parts:
            measured |= tiny_jobs(programs, work, options)
    if "d" in options.parts:
        model(measured)


def parse(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run pipeline", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list("abcd"), metavar="LIST",
                        help="comma-separated list of a, b, c and d (default: all)")
    parser.add_argument("--quick", action="store_true", help="only check that everything works; the results are not meaningful")
    parser.add_argument("--clairo", type=Path, metavar="PATH",
                        help="the clairo to measure, beside clairo-bench and clairo-mock-kafka (default: build them)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put files (default: $TMPDIR or /tmp)")
    parser.add_argument("--peer", default="ffmpeg", metavar="PATH", help="the ffmpeg that makes the clips")
    parser.add_argument("--minutes", type=float, metavar="N", help="a: length of the film (default: 10)")
    parser.add_argument("--preset", default="medium", help="a: x264 preset (default: medium)")
    parser.add_argument("--runs", type=int, metavar="N", help="a: runs for each number of workers, alternating (default: 2)")
    parser.add_argument("--services", action="store_true",
                        help="a: with S3, MariaDB and Kafka instead of files, SQLite and local:")
    parser.add_argument("--uploads", type=int, metavar="N", help="b: clips (default: 20)")
    parser.add_argument("--jobs", type=int, metavar="N", help="c: jobs (default: 10000)")
    parser.add_argument("--slots", type=int, default=8, metavar="N", help="c: concurrent tasks (default: 8)")
    options = parser.parse_args(arguments)
    for name, usual, quick in (("minutes", 10, 0.5), ("runs", 2, 1), ("uploads", 20, 3), ("jobs", 10_000, 200)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    if not set(options.parts) <= set("abcd"):
        parser.error("--parts takes a, b, c and d")
    if options.minutes <= 0 or min(options.runs, options.uploads, options.jobs, options.slots) < 1:
        parser.error("numbers must be positive")
    for program in ("taskset", "rclone", "mariadbd", options.peer):
        if shutil.which(program) is None:
            parser.error(f"program not found: {program}; Scripts/test installs it")
    if options.clairo and not (options.clairo.parent / "clairo-bench").exists():
        parser.error(f"clairo-bench not found beside {options.clairo}; without --clairo, everything is built")
    if "a" in options.parts and len(os.sched_getaffinity(0)) < 2:
        parser.error("part a needs two cores")
    return options


# a: one film, one worker or two


class Run:
    """One film, from the start of the workers to its last row. The times are the database's, which is on this machine."""

    def __init__(self, site, video, begin):
        (state, finished), = site.query(f"SELECT state, finished_at FROM jobs WHERE video_id = '{video}'")
        if state != "succeeded":
            sys.exit(f"the job ended as {state}; see {site.folder}")
        self.wall = int(finished) / 1e6 - begin
        self.tasks = {"plan": [], "chunk": [], "track": [], "finish": []}
        for kind, text in site.query(f"SELECT kind, result FROM tasks WHERE video_id = '{video}' ORDER BY number"):
            self.tasks[kind].append(json.loads(text))

    def seconds(self, kind, measure="wallSeconds"):
        return [task["usage"][measure] for task in self.tasks[kind]]

    def total(self, *kinds, measure="wallSeconds"):
        return sum(sum(self.seconds(kind, measure)) for kind in kinds or self.tasks)


def spread(programs, work, options):
    clip = long_clip(options.peer, work, options.minutes * 60)
    cores = sorted(os.sched_getaffinity(0))[:2]
    runs = {1: [], 2: []}
    for number in range(options.runs):
        # Reverses the order every second time, so that a slow phase of the machine affects both equally.
        for count in sorted(runs, reverse=number % 2 == 1):
            say(f"a: {count} worker(s), run {number + 1} of {options.runs}")
            runs[count].append(process_film(programs, work, clip, cores[:count], options))
    one, two = (sorted(runs[count], key=lambda run: run.wall)[(len(runs[count]) - 1) // 2] for count in (1, 2))
    print(f"a: {options.minutes:g} min of 720p, {options.preset}, "
          f"{'S3, MariaDB, Kafka' if options.services else 'files, SQLite, local:'}; {len(one.tasks['chunk'])} chunks; "
          f"each worker on a core; median of {options.runs} alternating runs\n")
    table("workers", ["wall s", "chunks CPU s", "plan s", "track s", "finish s"], [
        (name, [f"{run.wall:.1f}", f"{run.total('chunk', measure='cpuSeconds'):.1f}"] +
         [f"{run.total(kind):.2f}" for kind in ("plan", "track", "finish")]) for name, run in (("1", one), ("2", two))])
    per_hour = 60 / options.minutes
    files = sum(len(task["files"]) for task in one.tasks["chunk"])
    # The time of a worker between its tasks: claiming, recording, starting.
    gap = (one.wall - one.total()) / sum(map(len, one.tasks.values()))
    measured = {
        "chunks": math.ceil(len(one.tasks["chunk"]) * per_hour), "chunk": statistics.mean(one.seconds("chunk")),
        "puts": files / len(one.tasks["chunk"]), "plan": one.total("plan") * per_hour,
        "audio": one.total("track") * per_hour, "finish": one.total("finish") * per_hour, "gap": max(0, gap)}
    # The ideal for these chunks and the serial part, if two cores were twice as fast as one.
    ideal = one.total("plan", "finish") + gap * 2 + makespan(
        [length + gap for length in one.seconds("track") + one.seconds("chunk")], 2)
    print(f"Speed-up **{one.wall / two.wall:.2f}**. With these chunks and a serial plan and finish, {one.wall / ideal:.2f} is "
          f"possible; two at once need {two.total('chunk', measure='cpuSeconds') / one.total('chunk', measure='cpuSeconds'):.2f} "
          "of the CPU time of one.\n", flush=True)
    return measured


def process_film(programs, work, clip, cores, options):
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="film-", dir=work))) / "site"
        site = Site(programs, folder, stack, services=options.services)
        video = site.upload(clip, options.preset)
        stack.enter_context(site.relay())
        logs = [stack.enter_context(open(folder / f"worker{core}.log", "wb")) for core in cores]
        begin = time.time()
        workers = [site.start("consume", "--until-idle", "--concurrency", 1, "--threads", 1, core=core, errors=log)
                   for core, log in zip(cores, logs)]
        for worker, log in zip(workers, logs):
            if worker.wait() != 0:
                sys.exit(f"clairo consume ended with {worker.returncode}:\n{Path(log.name).read_text()[-2000:]}")
        return Run(site, video, begin)


def long_clip(peer, work, seconds):
    minute = make_clip(peer, work / "minute.mp4", seconds=min(60, seconds), width=1280, height=720, crf=23)
    film = work / "film.mp4"
    subprocess.run([peer, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-stream_loop", "-1", "-i", minute,
                    "-map", "0", "-c", "copy", "-t", str(seconds), film], check=True)
    return film


# b: from the upload to the first chunk


class Log:
    """The lines of a process, each with its arrival time."""

    def __init__(self, process):
        self.lines, self.changed, self.process = [], threading.Condition(), process
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in iter(self.process.stderr.readline, b""):
            with self.changed:
                self.lines.append((time.time(), line.decode(errors="replace")))
                self.changed.notify_all()

    def moment(self, video, kind, event, timeout=60):
        def find():
            return next((moment for moment, line in self.lines
                         if video in line and f" kind={kind} " in line and event in line), None)
        with self.changed:
            if not self.changed.wait_for(find, timeout):
                text = "".join(line for _, line in self.lines[-20:])
                sys.exit(f"no \"{event}\" of {kind} came for video {video} in {timeout} s; the end of the consumer's log:\n{text}")
            return find()


def overhead(programs, work, options):
    clip = make_clip(options.peer, work / "short.mp4", seconds=3, width=640, height=360)
    print(f"b: {options.uploads} uploads one after the other; from `uploaded_at` in the row to \"task began\" of the first chunk, "
          "read as the consumer says it; ms\n")
    rows, totals = [], {}
    for name, kafka in (("local:", False), ("Kafka (mock)", True)):
        say(f"b: {name}")
        with contextlib.ExitStack() as stack:
            site = Site(programs, work / ("b-kafka" if kafka else "b-local"), stack, kafka=kafka)
            stages = waits(site, clip, options.uploads, stack)
        totals[name] = sorted(sum(stage) for stage in stages)
        # Planning reads the source. It is work, not waiting, but it counts.
        cells = [statistics.median(totals[name]), percentile(totals[name], 95), totals[name][-1]]
        rows.append((name, [f"{cell * 1000:.0f}" for cell in cells + [statistics.median(s) for s in zip(*stages)]]))
    table("queue", ["median", "p95", "max", "to the job", "to the plan's begin", "plan", "to the chunk's begin"], rows)
    return {"overhead": statistics.median(totals["local:"])}


def waits(site, clip, count, stack):
    process = site.start("consume", "--concurrency", 1, errors=subprocess.PIPE)
    stack.callback(end, process)
    stack.enter_context(site.relay())
    log = Log(process)
    stages = []
    for number in range(count + 1):
        # At a random moment of the consumer's polling interval.
        time.sleep(random.uniform(0, 1))
        video = site.upload(clip, "ultrafast")
        began, planned, chunk = (log.moment(video, *what) for what in (
            ("plan", "task began"), ("plan", "task succeeded"), ("chunk", "task began")))
        log.moment(video, "finish", "task succeeded")
        (uploaded, created), = site.query("SELECT v.uploaded_at, j.created_at FROM videos v JOIN jobs j ON j.video_id = v.id "
                                          f"WHERE v.id = '{video}'")
        moments = [int(uploaded) / 1e6, int(created) / 1e6, began, planned, chunk]
        # Skip the first, because the consumer may not have joined its group yet.
        if number > 0:
            stages.append([later - earlier for earlier, later in zip(moments, moments[1:])])
    return stages


def percentile(ordered, percent):
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


# c: empty jobs


COUNTERS = ["Questions", "Com_select", "Com_insert", "Com_update", "Com_delete", "Com_begin", "Com_commit", "Com_rollback"]


def tiny_jobs(programs, work, options):
    print(f"c: {options.jobs} jobs of a plan, a chunk, a track and a finish that do nothing; {options.slots} at once\n")
    rows, statements, rates = [], "", {}
    for name, services in (("Kafka (mock), MariaDB", True), ("local:, SQLite", False)):
        say(f"c: {name}")
        with contextlib.ExitStack() as stack:
            folder = work / ("c-services" if services else "c-local")
            folder.mkdir()
            url, client = f"sqlite:{folder}/clairo.db", None
            queue = "local:"
            if services:
                queue = "kafka://" + stack.enter_context(kafka_cluster(programs.kafka))
                url, client = stack.enter_context(mariadb(folder))
            bench_command = lambda *words: subprocess.run([programs.bench, *map(str, words)], check=True,
                                                          stdout=subprocess.PIPE, text=True).stdout
            bench_command("register", url, options.jobs)
            before = counters(client)
            figures = json.loads(bench_command("pipeline", url, queue, options.jobs, options.slots))
            spent = {key: (value - before[key]) / options.jobs for key, value in counters(client).items()}
        memory = {mark["jobs"]: mark["residentBytes"] / 1e6 for mark in figures["marks"]}
        at = [options.jobs // 5, options.jobs // 2, options.jobs]
        rows.append((name, [f"{options.jobs / figures['seconds']:.0f}", f"{figures['tasks'] / figures['seconds']:.0f}",
                            f"{spent['Questions']:.1f}" if spent else ""] +
                     [f"{memory[jobs]:.0f}" if jobs in memory else "" for jobs in at]))
        if services:
            statements = ", ".join(f"{key.removeprefix('Com_')} {spent[key]:.1f}" for key in COUNTERS[1:])
            rates = {"tasks": figures["tasks"] / figures["seconds"],
                     "commits": spent["Com_commit"] * options.jobs / figures["seconds"]}
    table("queue, database", ["jobs/s", "tasks/s", "statements/job", *(f"MB at {jobs}" for jobs in at)], rows)
    print(f"Statements of a job: {statements}\n", flush=True)
    return rates


def counters(client):
    """The server's statement counters, or nothing without a server."""
    if not client:
        return {}
    names = ", ".join(f"'{name}'" for name in COUNTERS)
    text = subprocess.run([*client, "-N", "-e", f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})"], check=True,
                          capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split("\t") for line in text.splitlines())}


# d: the model


S3_PUTS = 3500       # a second, under one prefix: what Amazon S3 promises (optimizing-performance.html in its manual)
RENEWAL_SECONDS = 3  # a worker with a task writes a sign of life so often: a tenth of the lease
IDLE_SECONDS = 5     # a worker without one asks so often


def makespan(lengths, workers):
    """Seconds until all tasks are done, if each worker takes the next task when it has finished one."""
    free = [0.0] * min(workers, len(lengths))
    heapq.heapify(free)
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def model(m):
    """An hour of film on W workers with one core each:

        T(W) = overhead + plan + max(chunks and audio on W workers, tasks / (tasks per second of the database)) + finish

    Free workers take chunks in order; each takes `chunk` seconds plus `gap` in between. Plan, audio and finish are one task each,
    and their duration is proportional to the film's. Network transfer is neglected: a core produces far less than a network carries.
    """
    def finished(workers):
        tasks = [m["audio"] + m["gap"]] + [m["chunk"] + m["gap"]] * m["chunks"]
        return (makespan(tasks, workers), len(tasks) / m["tasks"])

    serial = m["overhead"] + m["plan"] + m["finish"] + 2 * m["gap"]
    alone = serial + max(finished(1))
    rows = []
    for workers in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        spread_out, claims = finished(workers)
        total = serial + max(spread_out, claims)
        bound = "the database" if claims > spread_out else "chunks" if workers < m["chunks"] else "audio" \
            if m["audio"] > m["chunk"] else "one chunk"
        rows.append((str(workers), [f"{total:.0f}", f"{alone / total:.1f}", f"{100 * alone / total / workers:.0f} %",
                                    f"{100 * serial / total:.0f} %", bound]))
    print("d: model of an hour of 720p on workers with one core each\n")
    print(", ".join(f"{name} {value:.4g}" for name, value in m.items()) + "\n")
    table("workers", ["s", "speed-up", "efficiency", "plan and finish", "otherwise bound by"], rows)
    floor = serial + max(finished(m["chunks"] + 1))
    busy = 1 / (1 / (m["chunk"] * m["tasks"]) + 1 / (RENEWAL_SECONDS * m["commits"]))
    idle = IDLE_SECONDS * m["tasks"]
    puts = S3_PUTS * m["chunk"] / m["puts"]
    print(f"""One film scales to {m['chunks'] + 1} workers, one for each chunk and audio track: {floor:.0f} s, of which {m['overhead'] + m['plan']:.0f} s for the plan,
{max(m['chunk'], m['audio']):.0f} s for the longest task and {m['finish']:.0f} s for the finish. More workers need smaller chunks (chunk-cpu-seconds), which
start more encoders. Many concurrent films have no such limit; shared resources limit them to about
- {busy:.0f} busy workers for this database, with a task every {m['chunk']:.0f} s and a lease renewal every {RENEWAL_SECONDS} s, or {idle:.0f} idle workers that poll every {IDLE_SECONDS} s;
- {puts:.0f} workers for one S3 prefix, with {m['puts'] / m['chunk']:.2f} of {S3_PUTS} PUTs per second each.
""", flush=True)
