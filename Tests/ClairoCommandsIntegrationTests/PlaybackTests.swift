import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// The output in a browser, as viewers use it: Debian's Chromium plays the HLS master playlist natively.
@Suite(.sharesMachine) struct PlaybackTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// The report that the page below posts.
    struct Report: Decodable {
        struct Shown: Decodable {
            /// The time of the frame on the media timeline.
            var time: Double
            /// The number shown by the frame.
            var number: Int
        }

        var error: String?
        var currentTime: Double
        var duration: Double
        var width: Int
        var height: Int
        var shown: [Shown]
        /// JPEG as a data URL.
        var image: String?
    }

    /// Plays, records which number each presented frame shows, and reports after a while or on an error.
    private static func page(_ source: String, seek: Double?) -> String {
        """
        <!doctype html><video id="v" muted autoplay playsinline src="\(source)"></video><canvas id="c"></canvas><script>
        const v = document.getElementById('v'), c = document.getElementById('c'), shown = [];
        let isOver = false;
        function report(error) {
            if (isOver) return;
            isOver = true;
            fetch('/report', { method: 'POST', body: JSON.stringify({
                error: error || null, currentTime: v.currentTime, duration: isFinite(v.duration) ? v.duration : -1,
                width: v.videoWidth, height: v.videoHeight, shown,
                image: shown.length ? c.toDataURL('image/jpeg') : null }) });
        }
        function look(now, frame) {
            c.width = 320; c.height = 180;
            const pen = c.getContext('2d', { willReadFrequently: true });
            pen.drawImage(v, 0, 0, 320, 180);
            let number = 0;
            for (let bit = 0; bit < 12; bit++) {
                const pixel = pen.getImageData(40 + 80 * (bit % 4), 30 + 60 * Math.floor(bit / 4), 1, 1).data;
                if (pixel[1] > 125) number |= 1 << bit;
            }
            shown.push({ time: frame.mediaTime, number });
            if (v.currentTime > \((seek ?? 0) + 1.5) && shown.length >= 10) report(); else v.requestVideoFrameCallback(look);
        }
        v.addEventListener('error', () => report('media error ' + v.error.code + ' ' + v.error.message));
        function watch() { v.requestVideoFrameCallback(look); }
        \(seek.map {
            """
            v.addEventListener('loadedmetadata', () => { v.currentTime = \($0); }, { once: true });
            // During the seek, the frame and its reported time may be from before or after the seek.
            v.addEventListener('seeked', watch, { once: true });
            """
        } ?? "watch();")
        v.play().catch(error => report('' + error));
        </script>
        """
    }

    private func play(_ source: String, seek: Double? = nil, in folder: String) async throws -> (Report, [String]) {
        let visit = try await HeadlessChromium.visit(
            Self.page(source, seek: seek), servedWith: folder, scratch: scratch)
        return (try JSONDecoder().decode(Report.self, from: visit.report), visit.requests)
    }

    @Test(
        .enabled(if: HeadlessChromium.program != nil, "Chromium is not installed"),
        arguments: [nil, 5.0] as [Double?])
    func chromiumPlaysTheMasterPlaylist(seek: Double?) async throws {
        let clip = Clip(width: 640, height: 360, seconds: 8, video: .numbers)
        let out = scratch.path("out")
        let made = try await ClairoProcess.run(
            "transcode", clip.make().path, "-o", out, "--preset", "ultrafast", "--segment-seconds", "2")
        #expect(made.status == 0)
        let (report, requests) = try await play("/master.m3u8", seek: seek, in: out)
        #expect(report.error == nil)
        #expect(report.currentTime - (seek ?? 0) > 1)
        #expect(abs(report.duration - 8) < 0.1)
        #expect(report.width > 0 && report.height > 0)
        // Any rung: 426x240 is not exactly 16:9.
        #expect(abs(Double(report.width) / Double(report.height) - 16 / 9) < 0.01)
        #expect(Set(report.shown.map(\.number)).count > 5, "playback does not advance")
        for shown in report.shown {
            #expect(
                abs(shown.time * 25 - Double(shown.number)) < 0.51, "frame \(shown.number) is shown at \(shown.time) s")
        }
        #expect(requests.contains("GET /master.m3u8"))
        #expect(requests.contains { $0.hasPrefix("GET /audio/") && $0.hasSuffix(".m4s") }, "no audio was requested")
        try keepFrame(report, name: seek == nil ? "start" : "seek")
    }

    @Test(.enabled(if: HeadlessChromium.program != nil, "Chromium is not installed"))
    func chromiumPlaysTheProgressiveFile() async throws {
        let clip = Clip(width: 640, height: 360, seconds: 4, video: .numbers)
        let out = scratch.path("out")
        let made = try await ClairoProcess.run(
            "transcode", clip.make().path, "-o", out, "--preset", "ultrafast", "--format", "mp4")
        #expect(made.status == 0)
        let (report, _) = try await play("/mp4/360p.mp4", in: out)
        #expect(report.error == nil)
        #expect(abs(report.duration - 4) < 0.1)
        #expect(report.shown.allSatisfy { abs($0.time * 25 - Double($0.number)) < 0.51 })
    }

    /// The last frame in the browser. It is kept for inspection if `CLAIRO_TEST_FRAMES` names a folder.
    private func keepFrame(_ report: Report, name: String) throws {
        let image = try #require(report.image?.split(separator: ",").last)
        let data = try #require(Data(base64Encoded: String(image)))
        #expect(data.count > 500)
        if let folder = ProcessInfo.processInfo.environment["CLAIRO_TEST_FRAMES"] {
            try data.write(to: URL(fileURLWithPath: folder + "/chromium-\(name).jpg"))
        }
    }
}
