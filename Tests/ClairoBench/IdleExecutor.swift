internal import ClairoCore
internal import Foundation

/// Completes each task at once with the result of a six-second video with three rungs and one track, without any data.
struct IdleExecutor: TaskExecutor {
    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        let output = io.output ?? NullStore()
        switch spec.work {
        case .probe, .inspect, .transcode, .verify:
            return TaskResult()
        case .plan(let request):
            return TaskResult(plan: Self.plan(request))
        case .chunk(let plan, let index):
            let segments = plan.chunks[index].segments
            for rung in plan.video?.rungs ?? [] {
                try output.put(Data(), at: rung.initKey)
                for segment in segments { try output.put(Data(), at: rung.segmentKey(segment)) }
            }
            return TaskResult(decodedFrames: plan.video?.grid.frameCount ?? 0)
        case .track(let plan, let index):
            let track = plan.tracks[index]
            for key in track.objectKeys { try output.put(Data(), at: key) }
            return TaskResult()
        case .finish(let request):
            return TaskResult(renditions: Self.renditions(request.plan))
        }
    }

    private static func plan(_ request: TaskSpec.PlanRequest) -> Plan {
        let grid = SegmentGrid(frameRate: Rational(25, 1), frameCount: 150)
        let rungs = [(1280, 720), (854, 480), (640, 360)].map { width, height in
            Rung(
                id: "\(height)p", size: FrameSize(width: width, height: height), maxRate: Int64(height) * 4000,
                bufferSize: Int64(height) * 8000)
        }
        let video = VideoPlan(
            streamIndex: 0, grid: grid, sourceFrameCount: grid.frameCount, orientation: .upright, deinterlace: false,
            dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: 1, isSeekable: true, rungs: rungs,
            decisions: rungs.map { LadderDecision(id: $0.id, size: $0.size, verdict: .kept, reason: "it fits") })
        let track = AudioPlan(
            streamIndex: 1, language: "und", title: nil, channels: 2, bitRate: 128_000,
            sampleCount: 6 * AudioPlan.sampleRate, segmentBoundaries: [])
        return Plan(
            source: request.source, settings: request.settings, origin: .zero, video: video, audio: [track],
            chunks: [Chunk(index: 0, segments: 0..<grid.segmentCount, seekTimestamp: nil)],
            prediction: Prediction(bytes: 1_000_000, cpuSeconds: 5))
    }

    private static func renditions(_ plan: Plan) -> [RenditionRecord] {
        plan.renditions.map { rendition in
            let rung = (rendition as? PlannedRung)?.rung
            return RenditionRecord(
                id: rendition.id, kind: rendition.kind, codec: rung == nil ? "mp4a.40.2" : "avc1.640028",
                size: rung?.size, duration: rendition.duration.doubleValue, averageRate: 1_000_000,
                peakRate: 2_000_000, bytes: 500_000)
        }
    }
}

struct EmptySource: ByteSource {
    var size: Int64 { 0 }
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int { 0 }
}

/// Accepts all writes and stores nothing.
struct NullStore: BackingStore {
    func location(of key: ObjectKey) -> ObjectLocation {
        ObjectLocation(bucket: "output", key: key.rawValue, url: "s3://output/\(key)")
    }

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {}

    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        try body { (_: Data) throws(ClairoError) in }
    }

    func get(_ key: ObjectKey) throws(ClairoError) -> Data { Data() }
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { EmptySource() }
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { nil }
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] { [] }
    func delete(_ key: ObjectKey) throws(ClairoError) {}
    func check() throws(ClairoError) {}
}
