import ClairoTestSupport
import Foundation
import Testing

/// The progress output of a run.
@Suite(.sharesMachine) struct ProgressTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func transcode(_ more: String...) async throws -> ChildProcess.Outcome {
        let source = try await Clip(width: 640, height: 360, seconds: 10).make()
        return try await ClairoProcess.run(
            arguments: ["transcode", source.path, "-o", scratch.path("out"), "--preset", "faster"] + more,
            environment: ["TERM": "xterm"])
    }

    struct Line: Decodable {
        var phase: String?
        var framesDone: Int?
        var framesPlanned: Int?
        var percent: Double?
        var speed: Double?
        var secondsLeft: Double?
        var message: String?
    }

    @Test func jsonProgressIsOneObjectPerLineAndNeverDecreases() async throws {
        let outcome = try await transcode("--progress", "json")
        #expect(outcome.status == 0)
        let lines = try outcome.errors.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        let states = lines.filter { $0.phase != nil }
        #expect(!states.isEmpty)
        let done = states.compactMap(\.framesDone)
        #expect(zip(done, done.dropFirst()).allSatisfy { $0 <= $1 })
        let last = try #require(states.last)
        #expect(last.phase == "done")
        #expect(last.framesDone == last.framesPlanned && last.framesPlanned == 500)
        #expect(last.percent == 100)
        #expect(states.allSatisfy { (0...100).contains($0.percent ?? -1) })
    }

    @Test func noneDisablesAllProgress() async throws {
        let outcome = try await transcode("--progress", "none")
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
    }

    @Test func plainProgressPrintsFewLinesWithoutATerminal() async throws {
        let begin = ContinuousClock.now
        let outcome = try await transcode()
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        #expect(outcome.status == 0)
        #expect(!outcome.errors.contains("\r") && !outcome.errors.contains("\u{1B}"))
        #expect(Double(outcome.errors.split(separator: "\n").count) < 20 + seconds / 5)
        #expect(outcome.text.contains("master.m3u8"))
    }

    @Test func theBarRedrawsItsLineAndClearsItAtTheEnd() async throws {
        let outcome = try await transcode("--progress", "bar")
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("\r"))
        #expect(!outcome.errors.contains("\n"))
        #expect(outcome.errors.hasSuffix("\r\u{1B}[K"))
    }
}
