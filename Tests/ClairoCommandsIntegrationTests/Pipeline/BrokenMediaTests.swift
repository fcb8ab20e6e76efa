import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// A sandboxed worker processes all damaged files at once. Each fails its job and never the worker.
@Suite(.sharesMachine, .enabled(if: MediaFolder.shared != nil, "there is no ../shared/media and no CLAIRO_TEST_MEDIA"))
struct BrokenMediaTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func aWorkerSurvivesEveryDamagedFile() async throws {
        let folder = try #require(MediaFolder.shared)
        let names = try folder.entries().map(\.name).filter { $0.hasPrefix("broken/") }
        #expect(names.count > 30)
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        var ids: [String: VideoID] = [:]
        for name in names { ids[name] = try await pipeline.uploadWithoutProbe(folder.path(name)) }

        let report = try await pipeline.clairo("doctor")
        let mode = report.text.contains("; missing: ") ? "auto" : "require"
        let worker = try pipeline.consumer("--until-idle", "--sandbox", mode)
        let outcome = try await worker.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(
            !outcome.errors.contains("crashed") && !outcome.errors.contains("made no progress"), "\(outcome.errors)")
        #expect(taskProcesses(of: worker.identifier) == [])

        for name in names {
            let video = try await pipeline.video(try #require(ids[name]))
            if SharedMediaTests.refused[name] != nil {
                #expect(video.state == .failed && video.error?.kind == .badInput, "\(name): \(video)")
            } else {
                #expect(video.state == .ready, "\(name): \(video.state), \(video.error?.message ?? "")")
            }
        }
    }

    /// The task processes of a worker, even if the worker has died.
    private func taskProcesses(of worker: pid_t) -> [String] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.filter { Int($0) != nil }.compactMap { process in
            guard let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { return nil }
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.contains("run-task") && words.contains(String(worker)) ? words.joined(separator: " ") : nil
        }
    }
}
