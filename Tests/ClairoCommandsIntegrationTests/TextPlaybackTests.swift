import ClairoTestSupport
import Foundation
import Testing

/// Text in a browser. Chromium's own HLS has no subtitles, so a page reads the segments as players of HLS do: each one by
/// the browser's parser, and a cue that several segments have once.
@Suite(.sharesMachine) struct TextPlaybackTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Cue: Decodable, Hashable {
        var start: Double
        var end: Double
        var text: String
        var line: String
    }

    private struct Report: Decodable {
        var error: String?
        /// The cues of the whole file, in `<track>`.
        var whole: [Cue]
        /// The cues of all segments, as their X-TIMESTAMP-MAP places them.
        var segments: [Cue]
        /// The texts that are shown at each time.
        var shown: [[String]]
    }

    /// Reads all text, then seeks to each of some times.
    private static func page(times: [Double], expected: [[String]]) throws -> String {
        let wanted = String(decoding: try JSONEncoder().encode(expected), as: UTF8.self)
        return """
            <!doctype html><video id="v" muted playsinline preload="auto" src="/master.m3u8"></video><script>
            const v = document.getElementById('v');
            const times = \(times), wanted = \(wanted);
            function event(target, name) {
                return new Promise((done, fail) => {
                    target.addEventListener(name, done, { once: true });
                    target.addEventListener('error', () => fail(new Error(name + ' failed')), { once: true });
                });
            }
            async function load(url) {
                const element = document.createElement('track');
                element.kind = 'subtitles';
                element.src = url;
                const loaded = event(element, 'load');
                v.append(element);
                element.track.mode = 'hidden';
                await loaded;
                return element.track;
            }
            function describe(cue, offset) {
                return { start: cue.startTime + offset, end: cue.endTime + offset, text: cue.text, line: '' + cue.line };
            }
            async function run() {
                if (v.readyState < 1) await event(v, 'loadedmetadata');
                const track = await load('/text/eng.vtt');
                const whole = [...track.cues].map(cue => describe(cue, 0));
                const playlist = await (await fetch('/text/eng/playlist.m3u8')).text();
                const segments = new Map();
                for (const name of playlist.split('\\n').filter(line => line && !line.startsWith('#'))) {
                    const url = '/text/eng/' + name;
                    const map = (await (await fetch(url)).text())
                        .match(/X-TIMESTAMP-MAP=MPEGTS:(\\d+),LOCAL:(\\d+):(\\d+):(\\d+\\.\\d+)/).slice(1).map(Number);
                    const offset = map[0] / 90000 - (map[1] * 3600 + map[2] * 60 + map[3]);
                    for (const cue of (await load(url)).cues || []) {
                        const found = describe(cue, offset);
                        segments.set(JSON.stringify(found), found);
                    }
                }
                const shown = [];
                const texts = () => [...track.activeCues].map(cue => cue.text);
                for (let i = 0; i < times.length; i++) {
                    const sought = event(v, 'seeked');
                    v.currentTime = times[i];
                    await sought;
                    // The browser updates the cues shortly after the seek.
                    for (let n = 0; n < 250 && '' + texts() !== '' + wanted[i]; n++)
                        await new Promise(done => setTimeout(done, 20));
                    shown.push(texts());
                }
                return { whole, segments: [...segments.values()], shown };
            }
            run().catch(error => ({ error: '' + error, whole: [], segments: [], shown: [] })).then(report =>
                fetch('/report', { method: 'POST', body: JSON.stringify(report) }));
            </script>
            """
    }

    @Test(.enabled(if: HeadlessChromium.program != nil, "Chromium is not installed"))
    func segmentsAndTheWholeFileShowTheSameCuesAtTheirFrames() async throws {
        // With B frames, whose delay must not move the cues.
        let clip = Clip(seconds: 6, options: ["-bf", "2"])
        try scratch.write(
            "1\n00:00:01,000 --> 00:00:02,520\n<i>one</i> & a <b>half</b>\n\n2\n00:00:01,600 --> 00:00:04,400\n"
                + "{\\an8}across\nsegments\n\n3\n00:00:04,000 --> 00:00:04,400\n&lt;three&gt; -->\n", to: "a.srt")
        let out = scratch.path("out")
        let made = try await ClairoProcess.run(
            "transcode", clip.make().path, "-o", out, "--preset", "ultrafast", "--segment-seconds", "2", "--format",
            "hls", "--subtitle", scratch.path("a.srt") + ":eng")
        #expect(made.status == 0, "\(made.errors)")
        let (one, across, three) = ("<i>one</i> &amp; a <b>half</b>", "across\nsegments", "&lt;three&gt; --&gt;")
        // Half a frame before and after each change.
        let changes: [(Double, [String])] = [
            (1, [one]), (1.6, [one, across]), (2.52, [across]), (4, [across, three]), (4.4, []),
        ]
        let times = changes.flatMap { [$0.0 - 0.02, $0.0 + 0.02] }
        let expected = changes.indices.flatMap { [$0 == 0 ? [] : changes[$0 - 1].1, changes[$0].1] }
        let visit = try await HeadlessChromium.visit(
            Self.page(times: times, expected: expected), servedWith: out, scratch: scratch)
        let report = try JSONDecoder().decode(Report.self, from: visit.report)
        #expect(report.error == nil)
        #expect(
            report.whole == [
                Cue(start: 1, end: 2.52, text: one, line: "auto"), Cue(start: 1.6, end: 4.4, text: across, line: "0"),
                Cue(start: 4, end: 4.4, text: three, line: "auto"),
            ])
        #expect(report.segments == report.whole)
        #expect(report.shown == expected)
    }
}
