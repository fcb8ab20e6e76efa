"""Shared by the benchmarks: the programs to measure, clips, tables, servers, and a deployment."""
import contextlib, os, socket, sqlite3, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
KEY, SECRET = "clairo-bench", "not-a-secret"
TOPICS = {"clairo.uploads": 16, "clairo.tasks": 64, "clairo.events": 16, "clairo.uploads.dlq": 16, "clairo.tasks.dlq": 16}


def build(product="clairo"):
    print(f"Building {product}…", file=sys.stderr)
    command = [ROOT / "Scripts/build-release", product]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


class Programs:
    def __init__(self, clairo):
        names = ("clairo", "clairo-bench", "clairo-mock-kafka")
        self.clairo, self.bench, self.kafka = ((clairo.resolve().parent / name) if clairo else build(name) for name in names)


def make_clip(peer, path, seconds=10, width=1920, height=1080, crf=18):
    """Flat areas, sharp edges, text, smooth motion and fine moving detail, with some grain: about 5 Mbit/s at 1080p and CRF 23."""
    print("Generating a clip…", file=sys.stderr)
    subprocess.run([
        peer, *QUIET, "-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate=25",
        "-f", "lavfi", "-i", "mandelbrot=size=320x180:rate=25:maxiter=300",
        "-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000",
        "-filter_complex", f"[1:v]scale={width * 2 // 3}:{height * 2 // 3}[fractal];"
        "[0:v][fractal]overlay=(W-w)/2:(H-h)/2,noise=alls=3:allf=t,format=yuv420p[v]",
        "-map", "[v]", "-map", "2:a", "-t", str(seconds), "-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf),
        "-c:a", "aac", "-b:a", "128k", path], check=True)
    return path


def table(corner, columns, rows):
    print(f"| {corner} | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for name, cells in rows:
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(flush=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


# Servers


class s3_server:
    def __init__(self, work):
        self.folder = work / "s3"
        (self.folder / "bench").mkdir(parents=True)

    def __enter__(self):
        port = free_port()
        self.process = subprocess.Popen(
            ["rclone", "serve", "s3", "--config", "/dev/null", "--auth-key", f"{KEY},{SECRET}",
             "--addr", f"127.0.0.1:{port}", self.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(port)
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def environment(endpoint, work):
    return os.environ | {
        "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": endpoint, "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_BENCH_TYPE": "s3", "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
        "RCLONE_CONFIG_BENCH_ENDPOINT": endpoint, "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": KEY,
        "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": SECRET, "RCLONE_CONFIG_BENCH_REGION": "us-east-1",
        "CLAIRO_HOME": str(work / "home"), "CLAIRO_RAW_STORE": "s3://bench/raw",
    }


@contextlib.contextmanager
def mariadb(folder):
    """Runs a server with an empty database. Yields its URL and the client command."""
    data, path, temporary = folder / "mariadb", folder / "s", folder / "tmp"
    temporary.mkdir()  # a server that starts removes the temporary tables of others from their common folder
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
                    *as_root], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(temporary)})
    # A realistic configuration for this size: durable commits, and enough memory for the indexes.
    with open(folder / "mariadb.log", "wb") as log:
        server = subprocess.Popen(["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={path}",
                                   f"--tmpdir={temporary}", "--skip-networking",
                                   "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M",
                                   "--innodb-flush-log-at-trx-commit=1", *as_root], stdout=log, stderr=log)
    try:
        client = ["mariadb", "--no-defaults", f"--socket={path}", "--user=root"]
        while server.poll() is None and subprocess.run([*client, "-e", "SELECT 1"], capture_output=True).returncode:
            time.sleep(0.2)
        subprocess.run([*client, "-e", "CREATE DATABASE clairo CHARACTER SET utf8mb4"], check=True)
        yield f"mysql://root@localhost/clairo?socket={path}", [*client, "clairo"]
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def kafka_cluster(program):
    """librdkafka's mock brokers, which use the real protocol and take little time. Returns their addresses."""
    process = subprocess.Popen([program, "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True)
    try:
        brokers = process.stdout.readline().strip()
        for name, partitions in TOPICS.items():
            process.stdin.write(f"topic {name} {partitions} 1\n")
            process.stdin.flush()
            if process.stdout.readline().strip() != "ok":
                sys.exit(f"the mock cluster did not make the topic {name}")
        yield brokers
    finally:
        process.stdin.close()
        process.wait()


def end(process):
    process.terminate()
    process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"no server started on port {port}")


# A deployment


class Site:
    """A deployment with its own stores, database and queue, and access to the database."""

    def __init__(self, programs, folder, stack, kafka=False, services=False):
        folder.mkdir()
        self.clairo, self.folder = programs.clairo, folder
        profiles = folder / "profiles.yaml"
        profiles.write_text("".join(f"{preset}:\n  preset: {preset}\n" for preset in ("medium", "veryfast", "ultrafast")))
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("CLAIRO_")}
        self.env |= {"CLAIRO_HOME": str(folder / "home"), "CLAIRO_PROFILES": str(profiles)}
        self.client = None
        self.has_relay = kafka or services
        if self.has_relay:
            self.env["CLAIRO_QUEUE"] = "kafka://" + stack.enter_context(kafka_cluster(programs.kafka))
        if services:
            endpoint = stack.enter_context(s3_server(folder))
            url, self.client = stack.enter_context(mariadb(folder))
            self.env = environment(endpoint, folder) | self.env
            self.env |= {"CLAIRO_OUTPUT_STORE": "s3://bench/output", "CLAIRO_DATABASE": url}
            self.run("migrate")

    def run(self, *words):
        result = subprocess.run([self.clairo, *map(str, words)], env=self.env, cwd=self.folder, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"clairo {words[0]} ended with {result.returncode}:\n{result.stderr[-2000:]}")
        return result.stdout

    def start(self, *words, core=None, errors=None):
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        return subprocess.Popen([*pinned, self.clairo, *map(str, words)], env=self.env, cwd=self.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)

    def upload(self, clip, profile):
        return self.run("upload", clip, "--profile", profile, "--progress", "none").strip()

    def query(self, sql):
        if self.client:
            text = subprocess.run([*self.client, "-N", "--raw", "-e", sql], check=True, capture_output=True, text=True).stdout
            return [line.split("\t") for line in text.splitlines()]
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/home/clairo.db?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    @contextlib.contextmanager
    def relay(self):
        """`clairo produce --follow`, if consumers do not relay themselves."""
        if not self.has_relay:
            yield
            return
        with open(self.folder / "relay.log", "wb") as log:
            process = self.start("produce", "--follow", errors=log)
        try:
            yield
        finally:
            end(process)
