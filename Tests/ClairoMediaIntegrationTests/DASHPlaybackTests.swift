import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// The DASH manifest in Chromium, by a small page that reads it as the standard says and feeds Media Source Extensions.
@Suite(.sharesMachine) struct DASHPlaybackTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// The chunks that a second attempt made.
        var again: [Int] = []
        var segments = SegmentStorage.files
    }

    /// What the page found when playback ended.
    struct Report: Decodable {
        var error: String?
        var time: Double
        var duration: Double
        /// The buffered ranges of each representation.
        var buffered: [[[Double]]]
    }

    @Test(
        .enabled(if: HeadlessChromium.program != nil, "Chromium is not installed"),
        arguments: [
            Case(testDescription: "a chunk in the middle was retried", again: [1]),
            Case(testDescription: "all chunks were retried", again: [0, 1, 2, 3]),
            Case(testDescription: "one file for each rendition", segments: .single),
        ])
    func theManifestPlaysToItsEnd(_ sample: Case) async throws {
        let clip = Clip(seconds: 7)
        let source = try await clip.make()
        let job = TaskJob(
            source: try FileByteSource(path: source.path), name: "clip.mp4",
            settings: TaskEngineTests.settings.with { $0.segments = sample.segments },
            output: DirectoryStore(root: scratch.url("out")))
        let (original, _) = try await job.plan(TaskEngineTests.engine)
        _ = try await job.makeSegments(of: original, TaskEngineTests.engine)
        let plan = original.madeAgain(chunks: sample.again)
        try job.rename(original, to: plan)
        _ = try await job.finish(plan, TaskEngineTests.engine)

        let visit = try await HeadlessChromium.visit(Self.page, servedWith: scratch.path("out"), scratch: scratch)
        let report = try JSONDecoder().decode(Report.self, from: visit.report)
        #expect(report.error == nil)
        #expect(abs(report.duration - 7) < 0.05 && abs(report.time - 7) < 0.1)
        // Without a gap at a seam, from the start, and audio ends no later than video.
        #expect(report.buffered.count == 2)
        for ranges in report.buffered {
            #expect(ranges.count == 1)
            #expect(abs(ranges.first?.first ?? 1) < 0.05)
        }
        let ends = report.buffered.compactMap { $0.last?.last }
        #expect(ends.count == 2 && ends[1] <= ends[0] + 0.001, "video and audio end at \(ends)")
    }

    /// Appends the last representation of each set, plays it fast and reports when it has ended.
    private static let page = """
        <!doctype html><video id="v" muted autoplay playsinline></video><script>
        const v = document.getElementById('v'), buffers = [];
        let isOver = false;
        function report(error) {
            if (isOver) return;
            isOver = true;
            const buffered = error ? [] : buffers.map(b =>
                [...Array(b.buffered.length).keys()].map(i => [b.buffered.start(i), b.buffered.end(i)]));
            fetch('/report', { method: 'POST', body: JSON.stringify({
                error: error || null, time: v.currentTime, duration: isFinite(v.duration) ? v.duration : -1, buffered }) });
        }
        async function load(part) {
            const headers = part.range ? { Range: 'bytes=' + part.range } : {};
            const answer = await fetch('/' + part.url, { headers });
            if (!answer.ok) throw part.url + ' gave ' + answer.status;
            return answer.arrayBuffer();
        }
        function happened(target, name) {
            return new Promise((done, failed) => {
                target.addEventListener(name, done, { once: true });
                target.addEventListener('error', () => failed(name + ' failed'), { once: true });
            });
        }
        async function parts(representation) {
            const find = name => representation.getElementsByTagName(name)[0];
            const template = find('SegmentTemplate'), list = find('SegmentList'), base = find('SegmentBase');
            if (list) {
                if (find('SegmentTimeline')) throw 'a list with a timeline';
                return [{ url: find('Initialization').getAttribute('sourceURL') }].concat(
                    [...list.getElementsByTagName('SegmentURL')].map(s => ({ url: s.getAttribute('media') })));
            }
            if (template) {
                const fill = (text, number) => text.replace('$RepresentationID$', representation.getAttribute('id'))
                    .replace('$Number%05d$', String(number).padStart(5, '0'));
                const found = [{ url: fill(template.getAttribute('initialization'), 0) }];
                let number = Number(template.getAttribute('startNumber'));
                for (const s of template.getElementsByTagName('S'))
                    for (let i = 0; i <= Number(s.getAttribute('r') || 0); i++)
                        found.push({ url: fill(template.getAttribute('media'), number++) });
                return found;
            }
            const url = find('BaseURL').textContent, range = base.getAttribute('indexRange');
            const index = new DataView(await load({ url, range }));
            let offset = Number(range.split('-')[1]) + 1;
            const found = [{ url, range: find('Initialization').getAttribute('range') }];
            // A box header, version and flags, id, timescale, two 64-bit times, and two bytes before the count.
            for (let i = 0; i < index.getUint16(38); i++) {
                const size = index.getUint32(40 + 12 * i) & 0x7FFFFFFF;
                found.push({ url, range: offset + '-' + (offset + size - 1) });
                offset += size;
            }
            return found;
        }
        async function play() {
            const mpd = new DOMParser().parseFromString(
                new TextDecoder().decode(await load({ url: 'manifest.mpd' })), 'text/xml');
            const source = new MediaSource();
            v.src = URL.createObjectURL(source);
            await happened(source, 'sourceopen');
            source.duration = Number(mpd.documentElement.getAttribute('mediaPresentationDuration').slice(2, -1));
            const sets = [...mpd.getElementsByTagName('AdaptationSet')]
                .filter(s => ['video', 'audio'].includes(s.getAttribute('contentType')));
            const chosen = sets.map(set => {
                const representation = [...set.getElementsByTagName('Representation')].pop();
                buffers.push(source.addSourceBuffer(
                    set.getAttribute('mimeType') + '; codecs="' + representation.getAttribute('codecs') + '"'));
                return representation;
            });
            for (let i = 0; i < chosen.length; i++)
                for (const part of await parts(chosen[i])) {
                    const data = await load(part);
                    const done = happened(buffers[i], 'updateend');
                    buffers[i].appendBuffer(data);
                    await done;
                }
            source.endOfStream();
            v.addEventListener('ended', () => report());
            v.playbackRate = 4;
            await v.play();
        }
        v.addEventListener('error', () => report('media error ' + v.error.code + ' ' + v.error.message));
        play().catch(error => report('' + error));
        </script>
        """
}
