import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoCommands

/// A value of a JSON log line.
private enum Field: Decodable, Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case text(String)
    case number(Double)

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(Double(value)) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = try (try? container.decode(Double.self)).map { .number($0) } ?? .text(container.decode(String.self))
    }
}

struct LogLineTests {
    private let time = Timestamp(microseconds: 1_700_000_000_123_456)

    @Test func valuesInATextLineAreQuotedIfNecessary() {
        let line = LineLogHandler.line(
            .text, level: "warning", message: "task failed",
            ["error": #"It said "no" \ left"#, "job.id": "019a", "empty": "", "pair": "a=b"], time: time)
        #expect(
            line == #"""
                2023-11-14T22:13:20.123456Z warning task failed empty="" error="It said \"no\" \\ left" job.id=019a pair="a=b"

                """#)
    }

    @Test func aJSONLineIsOneFlatObject() throws {
        let line = LineLogHandler.line(
            .json, level: "info", message: "task began",
            ["error": "a \"b\"\u{85}", "time": "never", "attempt": .integer(2), "wall": .duration(62.0625)], time: time)
        #expect(line.hasSuffix("\n") && line.dropLast().allSatisfy { !$0.isNewline || $0 == "\u{85}" })
        let object = try JSONDecoder().decode([String: Field].self, from: Data(line.utf8))
        #expect(
            object == [
                "time": "2023-11-14T22:13:20.123456Z", "level": "info", "message": "task began",
                "error": "a \"b\"\u{85}", "attempt": 2, "wall": .number(62.063),
            ])
    }
}

/// The logs of running daemons.
@Suite(.sharesMachine) struct DaemonLogTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(arguments: PipelineSite.Kind.available)
    func eachLineAndMessageOfAJobHasItsTraceID(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        _ = try pipeline.relay()
        let id = try await pipeline.upload(try await Clip(seconds: 3).make())
        let outcome = try await pipeline.consumer("--until-idle", "--log-format", "json").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        let lines = try outcome.errors.split(separator: "\n").map {
            try JSONDecoder().decode([String: Field].self, from: Data($0.utf8))
        }
        #expect(lines.allSatisfy { $0["time"] != nil && $0["level"] != nil && $0["message"] != nil })
        let video = try await pipeline.video(id)
        let job = try #require(video.jobID)
        let ofJob = lines.filter { $0["job.id"] != nil }
        let tasks = try await pipeline.tasks(id)
        // Each task started and succeeded once, the job became ready, and nothing else is logged about it.
        #expect(ofJob.count == 2 * tasks.count + 1, "\(ofJob)")
        #expect(ofJob.last?["message"] == "job ready", "\(ofJob)")
        #expect(ofJob.allSatisfy { $0["job.id"] == .text(job.rawValue) && $0["trace.id"] == .text(video.traceID) })
        #expect(ofJob.dropLast().allSatisfy { $0["attempt"] == 1 })
        #expect(ofJob.count { $0["message"] == "task succeeded" } == tasks.count)
        if let kafka = pipeline.kafka {
            // The upload, each task, and the start, planning and completion of the job.
            for (topic, count) in [(Topic.uploads, 1), (Topic.tasks, tasks.count), (Topic.events, 3)] {
                let messages = try await Kcat.messages(of: topic, brokers: kafka.brokers)
                #expect(Set(messages.map(\.payload)).count == count, "\(topic): \(messages)")
                #expect(
                    messages.allSatisfy { message in
                        let headers = message.headers ?? []
                        return zip(headers, headers.dropFirst()).contains { $0 == ("trace-id", video.traceID) }
                    }, "\(topic): \(messages)")
            }
        }
    }

    @Test func aTextLogIsPlainLinesWithoutLabels() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        _ = try await pipeline.upload(try await Clip(seconds: 2).make())
        let outcome = try await pipeline.consumer("--until-idle").outcome()
        let lines = outcome.errors.split(separator: "\n")
        #expect(!outcome.errors.contains("ClairoCommands") && !lines.isEmpty)
        for line in lines where line.contains("job.id=") {
            #expect(Timestamp(String(line.prefix { $0 != " " })) != nil && line.contains(" trace.id="), "\(line)")
        }
    }

    @Test func theErrorThatStopsADaemonIsLoggedAsJSON() async throws {
        let outcome = try await ClairoProcess.run(
            "consume", "--log-format", "json", "--queue", "kafka://", environment: ["CLAIRO_HOME": scratch.path("home")]
        )
        #expect(outcome.status == 78)
        let last = try #require(outcome.errors.split(separator: "\n").last)
        let object = try JSONDecoder().decode([String: Field].self, from: Data(last.utf8))
        #expect(object["level"] == "critical" && object["error_kind"] == "usage" && object["exit"] == 78, "\(object)")
    }
}
