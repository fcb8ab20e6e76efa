import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// The progress of a job, as shown by `clairo status`.
@Suite(.mostlyWaits) struct StatusTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Report: Decodable {
        struct Job: Decodable {
            struct Task: Decodable {
                var owner: String?
                var framesDone: Int
                var framesPlanned: Int
            }
            var framesDone: Int
            var framesPlanned: Int
            var framesPerSecond: Double?
            var speed: Double?
            var etaSeconds: Double?
            var tasks: [String: Int]
            var taskList: [Task]
        }
        var jobs: [Job]
    }

    @Test func severalVideosAreOneObjectPerLine() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let videos = [MetadataSamples.video(), MetadataSamples.video()]
        for video in videos {
            let message = MetadataSamples.message(of: video.id)
            _ = try await site.inspect { try await $0.register(video, message: message, upload: nil) }
        }
        struct Document: Decodable {
            struct Video: Decodable { var id: String }
            var video: Video
        }
        let outcome = try await site.clairo("status", videos[0].id.rawValue, videos[1].id.rawValue, "--json")
        let lines = outcome.text.split(separator: "\n")
        let ids = try lines.map { try JSONDecoder().decode(Document.self, from: Data($0.utf8)).video.id }
        #expect(ids == videos.map(\.id.rawValue))
    }

    @Test func aRunningJobShowsItsPaceItsWorkersAndTheirShares() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let video = MetadataSamples.video()
        let job = MetadataSamples.job(of: video.id)
        try await site.inspect { store in
            #expect(
                try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
            var plan = MetadataSamples.task(of: job, .plan)
            plan.framesPlanned = 0
            #expect(try await store.startJob(job, tasks: [plan], messages: [], from: [.uploaded]))
            let planner = try #require(try await store.claimNextTask(kinds: [.plan], owner: "host:1", leaseSeconds: 60))
            let chunks = (0..<4).map { MetadataSamples.task(of: job, index: $0) }
            #expect(
                try await store.succeedPlan(
                    TaskClaim(planner), result: TaskResult(), plan: MetadataSamples.plan,
                    tasks: chunks, messages: []))
        }
        let waiting = try await site.clairo("status", video.id.rawValue)
        #expect(waiting.text.contains("running, 1 of 5 tasks done, 0 % of frames\n"), "\(waiting)")

        try await site.inspect { store in
            for (owner, frames) in [("host:7", 1200), ("host:8", 300)] {
                let task = try #require(
                    try await store.claimNextTask(kinds: [.chunk], owner: owner, leaseSeconds: 60))
                let claim = TaskClaim(task)
                #expect(try await store.renewLease(claim, leaseSeconds: 60, framesDone: frames))
            }
        }
        let running = try await site.clairo("status", video.id.rawValue)
        #expect(
            try /25 % of frames, [0-9.]+ fps, [0-9.]+x, about [0-9:]+ left\n/.firstMatch(in: running.text) != nil,
            "\(running)")
        #expect(try /1200\/1500 +80 % +host:7\n/.firstMatch(in: running.text) != nil)
        #expect(try /300\/1500 +20 % +host:8\n/.firstMatch(in: running.text) != nil)

        let json = try await site.clairo("status", video.id.rawValue, "--json")
        let report = try #require(try JSONDecoder().decode(Report.self, from: json.output).jobs.first)
        #expect(report.framesDone == 1500 && report.framesPlanned == 6000)
        let rate = try #require(report.framesPerSecond)
        #expect(rate > 0 && report.speed != nil)
        #expect(abs(try #require(report.etaSeconds) - 4500 / rate) < 0.01)
        #expect(report.taskList.compactMap(\.owner).contains("host:7"))

        // A job that is not running has no estimate.
        #expect(try await site.clairo("cancel", video.id.rawValue).status == 0)
        let cancelled = try await site.clairo("status", video.id.rawValue)
        #expect(cancelled.text.contains("25 % of frames\n") && !cancelled.text.contains(" fps, "), "\(cancelled)")
    }
}
