import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// Databases and dead letters hold plans and task documents that version 2 of the schema wrote. They still give a whole
/// output, under the names of that version.
@Suite(.ownThreads) struct StoredPlanTests {
    struct Stored: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var source: Data
        var plan: String
        /// The work of the task, around the plan.
        var work: (head: String, tail: String)
        var id: String
        var folder: String
    }

    static let stored = [
        Stored(
            testDescription: "audio", source: MemoryMedia.wav(samples: 20_000), plan: audioPlan,
            work: (#"{"track":{"_0":"#, #","index":0}}"#), id: "und-64k", folder: "audio/und-64k"),
        // Before version 2 of the schema, a track was called audio.
        Stored(
            testDescription: "audio, older name", source: MemoryMedia.wav(samples: 20_000), plan: audioPlan,
            work: (#"{"audio":{"_0":"#, #","index":0}}"#), id: "und-64k", folder: "audio/und-64k"),
        Stored(
            testDescription: "video",
            source: MemoryMedia.gif(width: 160, height: 90, grey: (0..<25).map { UInt8($0 * 10) }), plan: videoPlan,
            work: (#"{"chunk":{"_0":"#, #","index":0}}"#), id: "90p", folder: "video/90p"),
    ]

    private static let engine: TaskJob.Runner = { spec, io in
        try await onDedicatedThread(name: "test task") {
            try MediaTaskEngine().run(spec, io: io, stop: StopRequest())
        }
    }

    @Test(arguments: stored) func aPlanAndATaskOfTheVersionBeforeGiveAWholeOutput(_ stored: Stored) async throws {
        let plan = try JSONDecoder().decode(Plan.self, from: Data(stored.plan.utf8))
        let job = TaskJob(source: MemorySource(stored.source), name: plan.source.name, settings: plan.settings)
        #expect(try job.planRequest.source == plan.source)
        let document = """
            {"attempt":1,"jobID":"\(job.jobID)","schema":2,"taskID":"\(TaskID.make())","threads":1,"traceID":"test",
            "videoID":"\(job.videoID)","work":\(stored.work.head)\(stored.plan)\(stored.work.tail)}
            """
        let spec = try JSONDecoder().decode(TaskSpec.self, from: Data(document.utf8))
        _ = try await Self.engine(spec, job.io)
        let result = try await job.finish(plan, Self.engine)
        #expect(result.renditions.map(\.id) == [stored.id])
        _ = try result.validated(for: .finish(.init(plan: plan, segments: [], warnings: [])))
        let keys = try job.output.list(prefix: stored.folder).map(\.rawValue)
        #expect(keys.contains("\(stored.folder)/00001.m4s") && keys.contains("\(stored.folder)/init.mp4"))
        #expect(try Verifier(store: job.output).run().passed)
    }

    private static let audioPlan = #"""
        {"audio":[{"bitRate":64000,"channels":1,"language":"und","sampleCount":120000,
        "segmentBoundaries":["1/1","2/1"],"sourceSampleCount":120000,"streamIndex":0}],"chunks":[],
        "corrections":{},"origin":"0/1","prediction":{"bytes":40000,"cpuSeconds":0.075},
        "settings":{"allowPartial":false,"chunkCPUSeconds":0.001,"copyCompatible":false,"formats":["hls",
        "dash","mp4"],"preset":"ultrafast","quality":23,"segmentSeconds":1},
        "source":{"identity":"sha256:303fe46870c4a3a918834bf266b6b6b27e2f4ee1a8573ba172559175b66aa642",
        "name":"saw.wav","size":40044},"version":2}
        """#

    private static let videoPlan = #"""
        {"audio":[],"chunks":[{"index":0,"segments":[0,2]}],"corrections":{},"origin":"0/1",
        "prediction":{"bytes":14001,"cpuSeconds":0.003132},"settings":{"allowPartial":false,
        "chunkCPUSeconds":0.001,"copyCompatible":false,"formats":["hls","dash","mp4"],"preset":"ultrafast",
        "quality":23,"segmentSeconds":1},
        "source":{"identity":"sha256:bf9e314d738ef643051f97ffbedcccf7a3dcdcb881c01e651dbef14ec2e5b611",
        "name":"ramp.gif","size":365973},"version":2,"video":{"color":{"isFullRange":false,"matrix":6,
        "primaries":6,"transfer":6},"decisions":[{"name":"240p",
        "reason":"the source is only 160x90, and nothing is upscaled","size":{"height":240,"width":426},
        "verdict":"dropped"},{"name":"90p","reason":"the source's own size; at most 48 kbit/s",
        "size":{"height":90,"width":160},"verdict":"kept"}],"deinterlace":false,"dynamicRange":"sdr",
        "grid":{"frameCount":25,"frameRate":"10/1","gopFrames":20,"segmentFrames":20},"isSeekable":false,
        "orientation":{"isMirrored":false,"rotation":0},"placement":"times","rungs":[{"bufferSize":33104,
        "maxRate":33103,"name":"90p","size":{"height":90,"width":160}}],"segmentsPerEncoder":1,
        "shownFrameCount":25,"source":{"codedSize":{"height":90,"width":160},"color":{"isFullRange":false,
        "matrix":6,"primaries":6,"transfer":6},"sampleAspectRatio":"1/1"},"sourceFrameCount":25,
        "streamIndex":0}}
        """#
}
