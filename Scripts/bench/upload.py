"""Uploads a large file to a real S3 server on this machine, with clairo, the AWS CLI and rclone in turn,
and then through `clairo serve`. Prints wall time, CPU time, peak memory, and their ratios."""
import argparse, os, shutil, signal, statistics, subprocess, tempfile, time
from pathlib import Path

from common import build, environment, free_port, s3_server, wait_for



def main(arguments):
    options = parse(arguments)
    clairo = options.clairo or build()
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work or roomy(options)) as folder:
        work = Path(folder)
        clip = make_file(work / "large.mp4", options.mib)
        with s3_server(work) as endpoint:
            env = environment(endpoint, work)
            print(f"{os.cpu_count()} cores; {options.mib} MiB to `rclone serve s3` on loopback; medians of "
                  f"{options.runs} runs, alternating; files in {work.parent}\n")
            command_line(clairo, clip, env, work, options)
            if not options.no_api:
                api(clairo, clip, env, work, options)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="Scripts/bench/run upload", description=__doc__)
    parser.add_argument("--clairo", type=Path, metavar="PATH", help="the clairo to measure (default: build it)")
    parser.add_argument("--mib", type=int, default=1024, metavar="N", help="size of the file (default: 1024)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument("--no-api", action="store_true", help="skip the upload through clairo serve")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put files (default: memory, if there is room)")
    options = parser.parse_args(arguments)
    for program in ["rclone", "aws", "curl", "ffmpeg"]:
        if shutil.which(program) is None:
            parser.error(f"program not found: {program}; Scripts/test installs it")
    return options


def roomy(options):
    """A folder in memory if possible, so that the disk is not the bottleneck."""
    needed = options.mib * (3 if options.no_api else 11) << 20
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > needed else None


def make_file(path, mib):
    """A one-second clip, padded with a free box of random bytes (ISO/IEC 14496-12, 8.1.2)."""
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=1",
                    "-c:v", "libx264", "-pix_fmt", "yuv420p", path], check=True)
    rest = (mib << 20) - path.stat().st_size
    with open(path, "ab") as file:
        file.write(rest.to_bytes(4, "big") + b"free")
        rest -= 8
        while rest > 0:
            file.write(os.urandom(min(rest, 1 << 20)))
            rest -= 1 << 20
    return path


def command_line(clairo, clip, env, work, options):
    commands = {
        "clairo upload": [clairo, "upload", clip, "--progress", "none"],
        "aws s3 cp": ["aws", "s3", "cp", "--no-progress", clip, "s3://bench/aws-{run}/large.mp4"],
        "rclone copy": ["rclone", "copy", clip, "bench:bench/rclone-{run}"],
    }
    results = {name: [] for name in commands}
    for run in range(options.runs):
        for name, command in commands.items():
            # A new name each time, because the server caches its listing.
            command = [str(word).replace("{run}", str(run)) for word in command]
            results[name].append(measure(command, env))
            empty(work / "s3" / "bench")
    table(results, "clairo upload", options.mib)


def api(clairo, clip, env, work, options):
    """The same file as a form upload: the server's time and memory, for one upload and for eight concurrent ones."""
    results = {"clairo upload": [], "curl -F to clairo serve": []}
    peaks = []
    for _ in range(options.runs):
        results["clairo upload"].append(measure([clairo, "upload", clip, "--progress", "none"], env))
        empty(work / "s3" / "bench")
        wall, cpu, peak = through_server(clairo, clip, env, 1)
        results["curl -F to clairo serve"].append((wall, cpu, peak))
        peaks.append(peak)
        empty(work / "s3" / "bench")
    print()
    table(results, "curl -F to clairo serve", options.mib)
    wall, _, peak = through_server(clairo, clip, env, 8)
    print(f"\n8 concurrent uploads: {8 * options.mib / wall:.0f} MiB/s, server's peak memory {peak:.0f} MB "
          f"(one: {max(peaks):.0f} MB)")
    empty(work / "s3" / "bench")


def through_server(clairo, clip, env, count):
    port = free_port()
    server = subprocess.Popen([clairo, "serve", "--listen", f"127.0.0.1:{port}"], env=env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        begin = time.monotonic()
        clients = [subprocess.Popen(["curl", "-sS", "--fail", "-o", "/dev/null", "-F", f"file=@{clip}",
                                     f"http://127.0.0.1:{port}/v1/videos"]) for _ in range(count)]
        if any(client.wait() != 0 for client in clients):
            raise SystemExit("an upload through clairo serve failed")
        wall = time.monotonic() - begin
        status = Path(f"/proc/{server.pid}/status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000
        fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return wall, cpu, peak
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def measure(command, env):
    begin = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} {command[1]} failed with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def table(results, ours, mib):
    print(f"| {'':24} | wall s | MiB/s | CPU s | peak MB |\n|---|---:|---:|---:|---:|")
    medians = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in results.items()}
    for name, (wall, cpu, peak) in medians.items():
        print(f"| {name:24} | {wall:.2f} | {mib / wall:.0f} | {cpu:.2f} | {peak:.0f} |")
    others = {name: row[0] for name, row in medians.items() if name != ours}
    fastest = min(others, key=others.get)
    print(f"\n{ours} reaches {others[fastest] / medians[ours][0]:.2f} of the speed of {fastest}")


def empty(folder):
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
