"""Compares `clairo transcode` with an ffmpeg command that makes the same ladder by the same encoder with the same settings, for each video codec."""
import argparse, json, shutil, subprocess, sys, tempfile
from pathlib import Path

from common import QUIET, build, make_clip, table
from transcode import Cost, Quality, clairo_command, existing, measure, program, rational, version

CODECS = ("h264", "hevc", "av1")
X265_PRESETS = {"slower": "slow", "veryslow": "slower"}
SVT_PRESETS = dict(zip("ultrafast superfast veryfast faster fast medium slow slower veryslow".split(),
                       (12, 11, 10, 9, 9, 8, 7, 6, 5)))


def main(arguments):
    parser = argparse.ArgumentParser(prog="Scripts/bench/run codecs", description=__doc__)
    parser.add_argument("--clip", type=existing, metavar="FILE", help="the input (default: a generated 10 s of 1080p25)")
    parser.add_argument("--peer", type=program, default=program("ffmpeg"), metavar="PATH", help="the ffmpeg to compare with")
    parser.add_argument("--clairo", type=program, metavar="PATH", help="the clairo to measure (default: build it)")
    parser.add_argument("--codec", type=lambda text: text.split(","), default=CODECS, metavar="LIST",
                        help="video codecs, separated by commas (default: h264,hevc,av1)")
    parser.add_argument("--preset", default="medium", choices=SVT_PRESETS, help="preset of clairo (default: medium)")
    parser.add_argument("--quality", type=float, default=23, metavar="CRF", help="quality of clairo (default: 23)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to put temporary files (default: $TMPDIR or /tmp)")
    options = parser.parse_args(arguments)
    for codec in options.codec:
        if codec not in CODECS:
            parser.error(f"unknown codec {codec!r}; use some of {', '.join(CODECS)}")
    clairo = options.clairo or build()
    with tempfile.TemporaryDirectory(prefix="clairo-bench-", dir=options.work) as folder:
        work = Path(folder)
        clip = options.clip or make_clip(options.peer, work / "clip.mp4")
        print(f"{clip.name}, {clip.stat().st_size / 1e6:.1f} MB; peer {version(options.peer)}; preset {options.preset}, "
              f"quality {options.quality:g}; medians of {options.runs} runs, alternating\n")
        for codec in options.codec:
            compare(clairo, options.peer, clip, codec, options, work)


def encoder(codec, preset, quality, grid, rung):
    """What `clairo` gives the encoder, except for the number of threads and a shorter lookahead."""
    gop = grid["gopFrames"]
    common = ["-maxrate", str(rung["maxRate"]), "-bufsize", str(rung["bufferSize"]), "-g", str(gop), "-flags", "+cgop"]
    if codec == "h264":
        return [*common, "-c:v", "libx264", "-preset", preset, "-profile:v", "high", "-crf", f"{quality:g}",
                "-x264-params", f"scenecut=0:open-gop=0:min-keyint={gop}"]
    if codec == "hevc":
        return [*common, "-c:v", "libx265", "-preset", X265_PRESETS.get(preset, preset),
                "-crf", f"{round(quality * 1.08 - 2.8, 1):g}", "-tag:v", "hvc1", "-x265-params",
                f"log-level=none:scenecut=0:open-gop=0:keyint={gop}:min-keyint={gop}:high-tier=0"]
    return [*common, "-c:v", "libsvtav1", "-preset", str(SVT_PRESETS[preset]),
            "-crf", str(round(31 + (quality - 23) * 3.4)), "-svtav1-params", "scd=0"]


def peer_command(peer, clip, codec, options, plan, output):
    """Decodes once, scales each rung from the source, and encodes each rung and audio track into fMP4 segments."""
    grid, rungs = plan["video"]["grid"], plan["video"]["rungs"]
    seconds = grid["segmentFrames"] / rational(grid["frameRate"])
    segments = ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_flags", "independent_segments",
                "-hls_time", f"{seconds:.6f}", "-hls_fmp4_init_filename", "init.mp4"]
    graph = f"[0:v]split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs)))
    graph += "".join(
        f";[s{i}]scale={rung['size']['width']}:{rung['size']['height']},"
        f"format={'yuv420p10le' if rung['bitDepth'] > 8 else 'yuv420p'},setsar=1[v{i}]" for i, rung in enumerate(rungs))
    command = [peer, *QUIET, "-i", clip, "-filter_complex", graph]
    for i, rung in enumerate(rungs):
        folder = output / "video" / rung["id"]
        folder.mkdir(parents=True)
        command += ["-map", f"[v{i}]", *encoder(codec, options.preset, options.quality, grid, rung), *segments,
                    "-hls_segment_filename", folder / "%05d.m4s", folder / "playlist.m3u8"]
    for i, track in enumerate(plan["audio"]):
        folder = output / "audio" / str(i)
        folder.mkdir(parents=True)
        command += ["-map", f"0:{track['streamIndex']}", "-c:a", "aac", "-b:a", str(track["bitRate"]), "-ar", "48000",
                    "-ac", str(track["channels"]), *segments,
                    "-hls_segment_filename", folder / "%05d.m4s", folder / "playlist.m3u8"]
    return command


def compare(clairo, peer, clip, codec, options, work):
    settings = ["--codec", codec, "--preset", options.preset, "--quality", f"{options.quality:g}", "--format", "hls,dash"]
    plan = json.loads(subprocess.run([clairo, "plan", clip, "--json", *settings], check=True, stdout=subprocess.PIPE).stdout)
    ours, theirs = work / f"clairo-{codec}", work / f"ffmpeg-{codec}"
    contestants = {
        ours: lambda: [*clairo_command(clairo, clip, options.preset, options.quality, ours, verify=False), "--codec", codec],
        theirs: lambda: peer_command(peer, clip, codec, options, plan, theirs),
    }
    costs = {output: [] for output in contestants}
    for run in range(options.runs):
        # Reverses the order every second run, so that a slow phase of the machine affects both equally.
        for output in sorted(contestants, reverse=run % 2 == 1):
            print(f"{codec}, run {run + 1} of {options.runs}: {output.name}", file=sys.stderr)
            shutil.rmtree(output, ignore_errors=True)
            costs[output].append(measure(contestants[output](), work / "log"))
    a, b = (Cost.median(costs[output]) for output in (ours, theirs))
    table(codec, ["wall s", "CPU s", "peak MB"], [
        ("clairo", [f"{a.wall:.2f}", f"{a.cpu:.2f}", f"{a.megabytes:.0f}"]),
        ("ffmpeg", [f"{b.wall:.2f}", f"{b.cpu:.2f}", f"{b.megabytes:.0f}"]),
        ("**clairo / ffmpeg**", [f"**{x / y:.2f}**" for x, y in zip(vars(a).values(), vars(b).values())]),
    ])
    rungs = plan["video"]["rungs"]
    rows = []
    for rung in rungs:
        x, y = (Quality.of(peer, clip, output, rung, rungs[0], work) for output in (ours, theirs))
        if x.frames != y.frames:
            print(f"**{rung['id']}: clairo made {x.frames} frames, ffmpeg {y.frames}; the figures are not comparable**\n")
        # PSNR, SSIM and, if the peer has it, VMAF.
        scores = [f"{p:.{digits}f} / {q:.{digits}f}" for p, q, digits in zip(x.scores, y.scores, (2, 4, 2))]
        rows.append((rung["id"], [*scores, f"{x.bytes / y.bytes:.3f}"]))
    names = ["PSNR-Y dB", "SSIM", "VMAF"][:len(rows[0][1]) - 1]
    table("clairo / ffmpeg", [*names, "bytes"], rows)
