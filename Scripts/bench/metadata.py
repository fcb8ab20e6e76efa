"""Measures the metadata store with millions of rows in SQLite and in MariaDB: each statement of the daemons, which must take
no longer than 50 ms and lock no rows that it does not change, and the calls of many workers at once."""
import contextlib, json, os, sqlite3, subprocess, sys, tempfile, time
from argparse import ArgumentParser
from pathlib import Path

from common import build, mariadb, table

MOST_MILLISECONDS = 50


def main(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run metadata", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N",
                        help="tasks; a fifth as many videos, jobs, messages and webhooks (default: 1000000)")
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="how often to time each statement (default: 50)")
    parser.add_argument("--clients", type=int, default=16, metavar="N", help="concurrent clients that claim tasks (default: 16)")
    parser.add_argument("--claims", type=int, default=8000, metavar="N", help="total number of claims (default: 8000)")
    parser.add_argument("--backend", choices=BACKENDS, action="append", metavar="NAME", help="sqlite or mariadb (default: both)")
    parser.add_argument("--program", type=Path, metavar="PATH", help="the clairo-bench to use (default: build it)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put the databases (default: $TMPDIR or /tmp)")
    options = parser.parse_args(arguments)
    if options.rows // 10 < 2 * (options.claims + options.rounds) + HELD:
        parser.error(f"{options.rows} rows are too few for {options.claims} claims")
    program = options.program.resolve() if options.program else build("clairo-bench")
    failures = 0
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        # A claim is durable when it returns, so it takes one or two syncs.
        syncs = sorted(sync_times(Path(folder) / "sync"))
        print(f"One sync of 4 kB to this disk: median {syncs[len(syncs) // 2]:.2f} ms, p99 {syncs[len(syncs) * 99 // 100]:.2f} ms\n")
        for name in options.backend or BACKENDS:
            begin = time.monotonic()
            with BACKENDS[name](program, Path(folder), options) as url:
                print(f"{name}: {options.rows} tasks, filled in {time.monotonic() - begin:.0f} s; {os.cpu_count()} cores\n", flush=True)
                os.sync()  # or the first calls would wait for what was filled in
                failures += statements(program, url, options)
                calls(program, url, options)
    if failures:
        sys.exit(f"{failures} statements FAIL")


def measure(program, *words):
    return json.loads(subprocess.run([program, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout)


def statements(program, url, options):
    """Prints a table of statements. Returns the number of those that take too long or lock too much."""
    rows, failures = [], 0
    for one in measure(program, "statements", url, options.rounds):
        too_slow = one["max"] > MOST_MILLISECONDS
        verdict = "FAIL" if too_slow or one["locksOthers"] else "PASS"
        failures += verdict == "FAIL"
        rows.append((f"{one['call']}: `{shortened(one['sql'])}`", [
            f"{one['median']:.2f}", f"{one['max']:.2f}", str(one["rows"]), str(one.get("locks", "")), verdict]))
    # `locks` counts entries of indexes and rows: two for a row that is found by an index.
    table("statement", ["median ms", "max ms", "rows", "locks", f"under {MOST_MILLISECONDS} ms, locks only what it changes"], rows)
    return failures


def shortened(sql, length=100):
    return sql if len(sql) <= length else sql[:length - 1] + "…"


def calls(program, url, options):
    figures = measure(program, "store", url, options.clients, options.claims)
    table(f"{options.clients} clients", ["median ms", "p99 ms", "max ms", "per s"], [
        (call, [f"{times[key]:.2f}" for key in ("median", "p99", "max")] +
         [f"{times['perSecond']:.0f}" if "perSecond" in times else ""]) for call, times in figures.items()])


def sync_times(path, count=1000):
    with open(path, "wb", buffering=0) as file:
        file.write(bytes(4096 * count))
        os.fsync(file.fileno())
        for index in range(count):
            time.sleep(0.008)  # spread out: what makes a sync slow is what others write, which comes and goes
            os.pwrite(file.fileno(), b"x" * 4096, 4096 * index)
            begin = time.monotonic()
            os.fdatasync(file.fileno())
            yield (time.monotonic() - begin) * 1000


@contextlib.contextmanager
def sqlite_filled(program, folder, options):
    path = folder / "clairo.db"
    url = f"sqlite:{path}"
    subprocess.run([program, "migrate", url], check=True)
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    for count, into, values in filling(options, lambda text, width: f"printf('%0{width}x', {text})", "/"):
        numbers = f"WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {count}) "
        database.execute(f"INSERT INTO {into} {numbers} SELECT {values} FROM n")
        database.commit()
    database.close()
    try:
        yield url
    finally:
        for file in folder.glob("clairo.db*"):
            file.unlink()


@contextlib.contextmanager
def mariadb_filled(program, folder, options):
    with mariadb(folder) as (url, client):
        subprocess.run([program, "migrate", url], check=True)
        for count, into, values in filling(options, lambda text, width: f"LOWER(LPAD(HEX({text}), {width}, '0'))", "DIV"):
            # In parts, because one transaction of millions of rows fills the undo log.
            for first in range(1, count + 1, 500_000):
                last = min(first + 499_999, count)
                subprocess.run([*client, "-e", "SET sql_mode = 'PIPES_AS_CONCAT', unique_checks = 0, foreign_key_checks = 0; "
                                f"INSERT INTO {into} SELECT {values} FROM seq_{first}_to_{last}"], check=True)
        yield url


BACKENDS = {"sqlite": sqlite_filled, "mariadb": mariadb_filled}
HELD = 1000


def filling(options, digits, div):
    """The rows to insert, as (number, table and columns, values).

    Each job has a plan, two chunks, a track and a finish. Of the newest half of the jobs, a chunk and a track are pending; in
    front of them are a thousand that other workers hold. Of each three webhooks, one is delayed and the two before it are due;
    of the next three, two are due and wait for the first, which is delayed.
    """
    few = options.rows // 5

    def uuid(kind, number="seq"):
        moment = f"(1600000000000 + ({number}) * 1000)"
        return (f"{digits(f'{moment} >> 16', 8)} || '-' || {digits(f'{moment} & 65535', 4)}"
                f" || '-7{kind:x}00-8000-' || {digits(f'({number})', 12)}")
    media = json.dumps({
        "container": "mp4", "containerName": "MP4", "size": 1, "duration": 1, "bitRate": 1, "video": [], "audio": [],
        "subtitles": [], "otherStreams": ["x" * 70] * 20, "selectedAudio": [], "isSeekable": True, "warnings": []})
    moment, later = "1600000000000000 + seq * 1000000", 4_000_000_000_000_000
    waits = f"seq > {few // 2}"
    yield (few, "videos (id, state, title, original_name, profile, priority, tenant, source_bucket, source_key, source_url, size, "
           "sha256, media, trace_id, uploaded_at, updated_at, job_id)",
           f"{uuid(1)}, CASE WHEN {waits} THEN 'processing' WHEN seq % 50 = 0 THEN 'failed' ELSE 'ready' END, 'A title', "
           f"'holiday.mp4', 'default', 1, 'default', 'raw', 'videos/' || {uuid(1)} || '/source', "
           f"'s3://raw/videos/' || {uuid(1)} || '/source', 1000000000, "
           f"{digits('seq * 7919', 64)}, '{media}', {digits('seq', 32)}, {moment}, {moment}, {uuid(2)}")
    yield (few, "jobs (id, video_id, state, profile, priority, tenant, queue_at, attempt, tasks_left, trace_id, created_at, updated_at)",
           f"{uuid(2)}, {uuid(1)}, CASE WHEN {waits} THEN 'running' ELSE 'succeeded' END, 'default', 1, 'default', {moment}, 1, 2, "
           f"{digits('seq', 32)}, {moment}, {moment}")
    job = f"((seq - 1) {div} 5 + 1)"
    place = "(seq - 1) % 5"
    pending = f"({job} > {few // 2} AND {place} IN (1, 3))"
    held = f"({job} <= {few // 2 + HELD // 2})"
    yield (5 * few, "tasks (id, job_id, video_id, kind, number, state, priority, queue_at, attempt, max_attempts, owner, claimable_at, "
           "not_before, frames_done, frames_planned, created_at, updated_at)",
           f"{uuid(3)}, {uuid(2, job)}, {uuid(1, job)}, "
           f"CASE {place} WHEN 0 THEN 'plan' WHEN 3 THEN 'track' WHEN 4 THEN 'finish' ELSE 'chunk' END, 0, "
           f"CASE WHEN NOT {pending} THEN 'succeeded' WHEN {held} THEN 'running' ELSE 'pending' END, 1, {moment}, 0, 5, "
           f"CASE WHEN {pending} AND {held} THEN 'worker ' || seq END, "
           f"CASE WHEN NOT {pending} THEN NULL WHEN {held} THEN {moment} + {later} ELSE {moment} END, {moment}, "
           f"0, 1500, {moment}, {moment}")
    yield (few, "outbox (id, topic, message_key, headers, payload, created_at, due_at, attempts)",
           f"{uuid(4)}, 'webhook', {digits(f'(seq - 1) {div} 3', 32)}, '{{}}', '{{\"event\":\"job.ready\"}}', {moment}, "
           f"CASE WHEN seq % 6 IN (3, 4) THEN {moment} + {later} ELSE {moment} END, 1")
    yield (few, "queue (id, topic, message_key, headers, payload, created_at, claimable_at, deliveries)",
           f"{uuid(5)}, CASE WHEN seq % 2 = 0 THEN 'clairo.events' ELSE 'clairo.tasks' END, {digits('seq', 32)}, '{{}}', '', "
           f"{moment}, {moment}, 0")
    yield (few // 10, "dead_letters (id, topic, headers, payload, failure, attempts, created_at, redriven_at)",
           f"{uuid(6)}, 'clairo.uploads', '{{}}', '', '{{\"kind\":\"defect\",\"message\":\"bench\"}}', 1, {moment}, "
           f"CASE WHEN seq % 2 = 0 THEN {moment} END")
