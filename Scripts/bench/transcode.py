"""Compares `clairo transcode` with an ffmpeg command that makes the same ladder: time, CPU, memory, quality."""
import argparse, json, os, re, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path

from common import QUIET, build, make_clip, table



def main(arguments):
    options = parse(arguments)
    clairo = options.clairo or build()
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        work = Path(folder)
        clip = options.clip or make_clip(options.peer, work / "clip.mp4")
        if options.against:
            compare_releases(clairo, options.against, clip, options, work)
            return
        print(f"{os.cpu_count()} cores; {clip.name}, {clip.stat().st_size / 1e6:.1f} MB; "
              f"peer {version(options.peer)}; medians of {options.runs} runs, alternating\n")
        for preset in options.preset:
            compare(clairo, options.peer, clip, preset, options.quality, options.runs, work)
        if options.long:
            long_inputs(clairo, options.peer, work)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="Scripts/bench/run transcode", description=__doc__,
        epilog="The clip should be progressive, upright and of constant frame rate: the peer's command conforms nothing.")
    parser.add_argument("--clip", type=existing, metavar="FILE", help="the input (default: a generated 10 s of 1080p25)")
    parser.add_argument("--peer", type=program, default="ffmpeg", metavar="PATH", help="the ffmpeg to compare with")
    parser.add_argument("--clairo", type=program, metavar="PATH", help="the clairo to measure (default: build it)")
    parser.add_argument("--against", type=program, metavar="PATH",
                        help="compare with another clairo instead: probe, plan and transcode, and an input of an hour")
    parser.add_argument("--preset", type=lambda text: text.split(","), default=["veryfast", "medium"], metavar="LIST",
                        help="x264 presets, separated by commas (default: veryfast,medium)")
    parser.add_argument("--quality", type=int, default=23, metavar="CRF", help="constant rate factor (default: 23)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument("--long", action="store_true", help="also the peak memory for 1, 10 and 60 minutes of input; with --against, also transcode the hour")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put temporary files (default: $TMPDIR or /tmp)")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if not 0 <= options.quality <= 51:
        parser.error("--quality must be from 0 to 51")
    known = "ultrafast superfast veryfast faster fast medium slow slower veryslow".split()
    for preset in options.preset:
        if preset not in known:
            parser.error(f"unknown preset {preset!r}; use one of {', '.join(known)}")
    if isinstance(options.peer, str):  # argparse leaves the default a string if ffmpeg is missing
        options.peer = program(options.peer)
    return options


def existing(text):
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path.resolve()


def program(text):
    path = shutil.which(text)
    if path is None:
        raise argparse.ArgumentTypeError(f"program not found: {text} (on Debian: apt-get install ffmpeg)")
    return Path(path).resolve()


def version(peer):
    line = subprocess.run([peer, "-version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    return " ".join(line.split()[:3])


# Measuring


class Cost:
    def __init__(self, wall, cpu, megabytes):
        self.wall, self.cpu, self.megabytes = wall, cpu, megabytes

    @staticmethod
    def median(costs):
        return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "megabytes")))


def measure(command, log):
    """Runs a command. CPU is user and system time of all its threads and finished children."""
    with open(log, "wb") as output:
        begin = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)  # because wait4 reaped the child
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {child.returncode}:\n{Path(log).read_text(errors='replace')[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def clairo_command(clairo, clip, preset, quality, output, verify):
    return [clairo, "transcode", clip, "-o", output, "--preset", preset, "--quality", str(quality), "--format", "hls,dash",
            "--progress", "none", "--force", *([] if verify else ["--no-verify"])]


def peer_command(peer, clip, preset, quality, plan, output):
    """Decodes once, scales each rung from the source, and encodes each rung and audio track into fMP4 segments."""
    grid, rungs = plan["video"]["grid"], plan["video"]["rungs"]
    fps = rational(grid["frameRate"])
    segments = ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_flags", "independent_segments",
                "-hls_time", f"{grid['segmentFrames'] / fps:.6f}", "-hls_fmp4_init_filename", "init.mp4"]
    graph = f"[0:v]split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs)))
    graph += "".join(f";[s{i}]scale={rung['size']['width']}:{rung['size']['height']},format=yuv420p,setsar=1[v{i}]"
                     for i, rung in enumerate(rungs))
    command = [peer, *QUIET, "-i", clip, "-filter_complex", graph]
    for i, rung in enumerate(rungs):
        folder = output / "video" / rung["id"]
        folder.mkdir(parents=True)
        command += ["-map", f"[v{i}]", "-c:v", "libx264", "-preset", preset, "-profile:v", "high", "-crf", str(quality),
                    "-maxrate", str(rung["maxRate"]), "-bufsize", str(rung["bufferSize"]), "-g", str(grid["gopFrames"]),
                    "-keyint_min", str(grid["gopFrames"]), "-sc_threshold", "0", *segments,
                    "-hls_segment_filename", folder / "%05d.m4s", folder / "playlist.m3u8"]
    for i, track in enumerate(plan["audio"]):
        folder = output / "audio" / str(i)
        folder.mkdir(parents=True)
        command += ["-map", f"0:{track['streamIndex']}", "-c:a", "aac", "-b:a", str(track["bitRate"]), "-ar", "48000",
                    "-ac", str(track["channels"]), *segments,
                    "-hls_segment_filename", folder / "%05d.m4s", folder / "playlist.m3u8"]
    return command


def rational(value):
    """The plan writes exact numbers as "24000/1001", as [num, den] or as {"num":, "den":}."""
    if isinstance(value, dict):
        return value["num"] / value["den"]
    if isinstance(value, list):
        return value[0] / value[1]
    num, _, den = str(value).partition("/")
    return float(num) / float(den or 1)


def compare(clairo, peer, clip, preset, quality, runs, work):
    settings = ["--preset", preset, "--quality", str(quality), "--format", "hls,dash"]
    plan = json.loads(subprocess.run([clairo, "plan", clip, "--json", *settings], check=True, stdout=subprocess.PIPE).stdout)
    if not plan.get("video"):
        sys.exit(f"{clip} has no video to compare")
    ours, theirs, verified = (work / f"{name}-{preset}" for name in ("clairo", "peer", "verified"))
    contestants = {
        ours: lambda: clairo_command(clairo, clip, preset, quality, ours, verify=False),
        theirs: lambda: peer_command(peer, clip, preset, quality, plan, theirs),
        verified: lambda: clairo_command(clairo, clip, preset, quality, verified, verify=True),
    }
    costs = {output: [] for output in contestants}
    for run in range(runs):
        # Alternates, and reverses the order every second run, so that a slow phase of the machine affects all equally.
        for output in sorted(contestants, reverse=run % 2 == 1):
            print(f"{preset}, run {run + 1} of {runs}: {output.name}", file=sys.stderr)
            shutil.rmtree(output, ignore_errors=True)
            costs[output].append(measure(contestants[output](), work / "log"))

    a, b, c = (Cost.median(costs[output]) for output in (ours, theirs, verified))
    table(f"{preset}, CRF {quality}", ["wall s", "CPU s", "peak MB"], [
        ("clairo", [f"{a.wall:.2f}", f"{a.cpu:.2f}", f"{a.megabytes:.0f}"]),
        ("ffmpeg", [f"{b.wall:.2f}", f"{b.cpu:.2f}", f"{b.megabytes:.0f}"]),
        ("**clairo / ffmpeg**", [f"**{x / y:.2f}**" for x, y in zip(vars(a).values(), vars(b).values())]),
        ("clairo, verified", [f"{c.wall:.2f}", f"{c.cpu:.2f}", f"{c.megabytes:.0f}"]),
    ])
    rungs = plan["video"]["rungs"]
    measured = [(rung, *(Quality.of(peer, clip, output, rung, rungs[0], work) for output in (ours, theirs))) for rung in rungs]
    for rung, x, y in measured:
        if x.frames != y.frames:
            print(f"**{rung['id']}: clairo made {x.frames} frames, ffmpeg {y.frames}; the figures below are not comparable**\n")
    metrics = ["PSNR-Y dB", "SSIM"] + (["VMAF"] if has_vmaf(peer) else [])
    rows = [(f"{rung['id']} {rung['size']['width']}x{rung['size']['height']}",
             [f"{p:.{digits}f} / {q:.{digits}f}" for p, q, digits in zip(x.scores, y.scores, (2, 4, 2))]
             + [f"{x.bytes / 1000:.0f} / {y.bytes / 1000:.0f}", f"{x.bytes / y.bytes:.3f}"]) for rung, x, y in measured]
    table("clairo / ffmpeg", metrics + ["kB", "ratio"], rows)


# Quality


class Quality:
    def __init__(self, scores, frames, size):
        self.scores, self.frames, self.bytes = scores, frames, size

    @staticmethod
    def of(peer, clip, output, rung, top, work):
        print(f"quality of {output.name} {rung['id']}", file=sys.stderr)
        folder = output / "video" / rung["id"]
        joined = work / "joined.mp4"
        with open(joined, "wb") as file:  # an init segment followed by its media segments is a fragmented MP4
            for part in [folder / "init.mp4", *sorted(folder.glob("[0-9]*.m4s"))]:
                file.write(part.read_bytes())
        # Pairs frames by index, because segments may start at another timestamp than the source.
        number = "settb=AVTB,setpts=N*1000"
        scale = "scale={width}:{height}:flags=bicubic,format=yuv420p"
        graph = (f"[0:v]{number},split=3[x1][x2][x3];[1:v]{number},split=2[s1][s2];"
                 f"[s1]{scale.format(**rung['size'])},split=2[r1][r2];[x1][r1]psnr;[x2][r2]ssim;")
        if has_vmaf(peer):  # its model expects frames at the resolution of the largest rung
            full = scale.format(**top["size"])
            graph += f"[x3]{full}[x4];[s2]{full}[s3];[x4][s3]libvmaf=n_threads={os.cpu_count()}"
        else:
            graph += "[x3]nullsink;[s2]nullsink"
        command = [peer, "-nostdin", "-hide_banner", "-i", joined, "-i", clip, "-filter_complex", graph, "-f", "null", "-"]
        log = run(command)
        patterns = [r"PSNR y:([\d.]+|inf)", r"SSIM Y.* All:([\d.]+)"] + ([r"VMAF score: ([\d.]+)"] if has_vmaf(peer) else [])
        scores = [float(re.search(pattern, log)[1]) for pattern in patterns]
        copied = run([peer, "-nostdin", "-hide_banner", "-i", joined, "-map", "0:v", "-c", "copy", "-f", "null", "-"])
        return Quality(scores, int(re.findall(r"frame= *(\d+)", copied)[-1]), joined.stat().st_size)


def run(command):
    """Runs a command and returns its stderr. Exits if it fails."""
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {result.returncode}:\n{result.stderr[-2000:]}")
    return result.stderr


def has_vmaf(peer, answers={}):
    if peer not in answers:
        filters = subprocess.run([peer, "-hide_banner", "-filters"], capture_output=True, text=True).stdout
        answers[peer] = re.search(r"\blibvmaf\b", filters) is not None
    return answers[peer]


# Memory over length


def long_inputs(clairo, peer, work):
    """Repeats one minute of input. Memory must not grow with the length of the input."""
    minute = make_clip(peer, work / "minute.mp4", seconds=60, width=640, height=360, crf=28)
    rows = []
    for minutes in (1, 10, 60):
        print(f"memory: {minutes} min", file=sys.stderr)
        clip = work / f"{minutes}min.mp4"
        repeat(peer, minute, minutes, clip)
        output = work / "long"
        cost = measure(clairo_command(clairo, clip, "veryfast", 23, output, verify=False), work / "log")
        checked = measure([clairo, "verify", output], work / "log")
        rows.append((f"{minutes} min", [f"{cost.megabytes:.0f}", f"{cost.wall:.1f}", f"{checked.megabytes:.0f}", f"{checked.wall:.1f}"]))
        shutil.rmtree(output)
        clip.unlink()
    table("640x360, veryfast", ["transcode peak MB", "wall s", "verify peak MB", "wall s"], rows)


def repeat(peer, clip, times, path):
    subprocess.run([peer, *QUIET, "-stream_loop", str(times - 1), "-i", clip, "-map", "0", "-c", "copy", path], check=True)
    return path


# Another clairo


def compare_releases(clairo, other, clip, options, work):
    """Measures how long two releases take to probe, plan and transcode the clip, and to probe and plan an hour."""
    programs = {"new": clairo, "other": other}
    minute = make_clip(options.peer, work / "minute.mp4", seconds=60, width=640, height=360, crf=28)
    mp4, ts = (repeat(options.peer, minute, 60, work / f"hour.{suffix}") for suffix in ("mp4", "ts"))
    output = work / "output"
    jobs = [(f"{word} {path.name}", 5 * options.runs, lambda program, word=word, path=path: [program, word, path, "--json"])
            for path in (clip, mp4, ts) for word in ("probe", "plan")]
    jobs += [(f"transcode {clip.name}, {preset}", options.runs,
              lambda program, preset=preset: clairo_command(program, clip, preset, options.quality, output, verify=True))
             for preset in options.preset]
    if options.long:
        jobs += [(f"transcode {path.name}, one rung, ultrafast", options.runs,
                  lambda program, path=path: [*clairo_command(program, path, "ultrafast", 23, output, verify=True),
                                              "--heights", "180"]) for path in (mp4, ts)]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {clairo} / {other}; "
          f"medians of {options.runs} alternating runs, of {5 * options.runs} for probe and plan\n", flush=True)
    rows = []
    for name, runs, command in jobs:
        print(name, file=sys.stderr)
        new, old = (Cost.median(costs) for costs in alternate(programs, runs, command, output, work))
        pairs = [(getattr(new, field), getattr(old, field)) for field in ("wall", "cpu", "megabytes")]
        rows.append((name, [cell for (x, y), digits in zip(pairs, (3, 3, 0))
                            for cell in (f"{x:.{digits}f} / {y:.{digits}f}", f"**{x / y:.2f}**")]))
    table("new / other", ["wall s", "ratio", "CPU s", "ratio", "peak MB", "ratio"], rows)


def alternate(programs, runs, command, output, work):
    """The costs of a command with each of the programs, after a run that fills the caches."""
    costs = {name: [] for name in programs}
    for run in range(runs + 1):
        # Reverses the order every second run, so that a slow phase of the machine affects both equally.
        for name in sorted(programs, reverse=run % 2 == 1):
            shutil.rmtree(output, ignore_errors=True)
            cost = measure(command(programs[name]), work / "log")
            if run > 0:
                costs[name].append(cost)
    return costs.values()
