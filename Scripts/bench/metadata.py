"""Measures the metadata store with many videos in SQLite and in MariaDB."""
import contextlib, json, os, sqlite3, subprocess, tempfile, time
from argparse import ArgumentParser
from pathlib import Path

from common import build, mariadb, table


def main(arguments):
    parser = ArgumentParser(prog="Scripts/bench/run metadata", description=__doc__)
    parser.add_argument("--videos", type=int, default=1_000_000, metavar="N", help="videos (default: 1000000)")
    parser.add_argument("--clients", type=int, default=16, metavar="N", help="concurrent clients that claim tasks (default: 16)")
    parser.add_argument("--claims", type=int, default=8000, metavar="N", help="total number of claims (default: 8000)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put the databases (default: $TMPDIR or /tmp)")
    options = parser.parse_args(arguments)
    program = build("clairo-bench")
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        # A claim is durable when it returns, so it takes one or two syncs.
        syncs = sorted(sync_times(Path(folder) / "sync"))
        print(f"One sync of 4 kB to this disk: median {syncs[len(syncs) // 2]:.2f} ms, p99 {syncs[len(syncs) * 99 // 100]:.2f} ms\n")
        for name, backend in (("SQLite", sqlite_filled), ("MariaDB", mariadb_filled)):
            begin = time.monotonic()
            with backend(program, Path(folder), options) as url:
                filled = time.monotonic() - begin
                os.sync()  # or the first calls would wait for what was filled in
                command = [program, "store", url, str(options.clients), str(options.claims)]
                figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{os.cpu_count()} cores; {options.videos} videos, filled in {filled:.0f} s; {options.clients} clients\n")
            rows = [(call, [f"{times[key]:.2f}" for key in ("median", "p99", "max")] +
                     [f"{times['perSecond']:.0f}" if "perSecond" in times else ""]) for call, times in figures.items()]
            table(name, ["median ms", "p99 ms", "max ms", "per s"], rows)


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
    numbers = f"WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {options.videos}) "
    for into, values in filling(options, lambda text, width: f"printf('%0{width}x', {text})"):
        database.execute(f"INSERT INTO {into} {numbers} SELECT {values} FROM n")
    database.commit()
    database.close()
    yield url


@contextlib.contextmanager
def mariadb_filled(program, folder, options):
    with mariadb(folder) as (url, client):
        subprocess.run([program, "migrate", url], check=True)
        for into, values in filling(options, lambda text, width: f"LOWER(LPAD(HEX({text}), {width}, '0'))"):
            subprocess.run([*client, "-e", f"SET sql_mode = 'PIPES_AS_CONCAT'; "
                            f"INSERT INTO {into} SELECT {values} FROM seq_1_to_{options.videos}"], check=True)
        yield url


def filling(options, digits):
    """The rows to insert, as (table and columns, values): for each number a ready video with 1.5 kB of media information, its
    job and its chunk. The newest chunks are pending, behind a thousand that other workers hold."""
    def uuid(kind):
        moment = "(1600000000000 + seq * 1000)"
        return (f"{digits(f'{moment} >> 16', 8)} || '-' || {digits(f'{moment} & 65535', 4)}"
                f" || '-7{kind}00-8000-' || {digits('seq', 12)}")
    media = json.dumps({
        "container": "mp4", "containerName": "MP4", "size": 1, "duration": 1, "bitRate": 1, "video": [], "audio": [],
        "subtitles": [], "otherStreams": ["x" * 70] * 20, "selectedAudio": [], "isSeekable": True, "warnings": []})
    waits = f"seq > {options.videos - 4 * options.claims}"
    held = f"seq <= {options.videos - 4 * options.claims + 1000}"
    moment = "1600000000000000 + seq * 1000000"
    yield ("videos (id, state, title, original_name, profile, priority, tenant, source_bucket, source_key, source_url, size, sha256, "
           "media, trace_id, uploaded_at, updated_at, job_id)",
           f"{uuid(1)}, CASE WHEN seq % 50 = 0 THEN 'failed' ELSE 'ready' END, 'A title', 'holiday.mp4', 'default', 1, 'default', 'raw', "
           f"'videos/' || {uuid(1)} || '/source', 's3://raw/videos/' || {uuid(1)} || '/source', 1000000000, "
           f"{digits('seq * 7919', 64)}, '{media}', {digits('seq', 32)}, {moment}, {moment}, {uuid(2)}")
    yield ("jobs (id, video_id, state, profile, priority, tenant, queue_at, attempt, tasks_left, trace_id, created_at, updated_at)",
           f"{uuid(2)}, {uuid(1)}, 'running', 'default', 1, 'default', {moment}, 1, 1, {digits('seq', 32)}, {moment}, {moment}")
    yield ("tasks (id, job_id, video_id, kind, number, state, priority, queue_at, attempt, max_attempts, claimable_at, "
           "not_before, frames_done, frames_planned, created_at, updated_at)",
           f"{uuid(3)}, {uuid(2)}, {uuid(1)}, 'chunk', 0, CASE WHEN {waits} THEN 'pending' ELSE 'succeeded' END, seq % 3, {moment}, 0, 5, "
           f"CASE WHEN NOT {waits} THEN NULL WHEN {held} THEN {moment} + 4000000000000000 ELSE {moment} END, {moment}, "
           f"0, 1500, {moment}, {moment}")
