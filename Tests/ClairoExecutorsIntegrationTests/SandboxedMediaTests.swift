import ClairoCore
import ClairoExecutors
import ClairoMedia
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// For files of every container format, real and damaged, a sandboxed task process gives the same bytes or the same
/// error as this process. (`SharedMediaTests` transcodes every file in the sandbox.)
@Suite(.sharesMachine, .enabled(if: MediaFolder.shared != nil, "there is no ../shared/media and no CLAIRO_TEST_MEDIA"))
struct SandboxedMediaTests {
    /// The first file of each format in each folder.
    static let entries: [MediaFolder.Entry] = {
        var kinds: Set<[String]> = []
        return ((try? MediaFolder.shared?.entries()) ?? []).filter { entry in
            let name = entry.name as NSString
            return kinds.insert([name.deletingLastPathComponent, name.pathExtension]).inserted
        }
    }()

    private struct Outcome {
        var objects: [ObjectKey: Data] = [:]
        var error: ClairoError?
    }

    private func outcome(_ entry: MediaFolder.Entry, _ executor: any TaskExecutor) async throws -> Outcome {
        let path = try #require(MediaFolder.shared).path(entry.name)
        let store = MemoryStore()
        var outcome = Outcome()
        do {
            let job = TaskJob(
                source: try FileByteSource(path: path), name: entry.name,
                settings: TranscodeSettings(
                    heights: [96], preset: "ultrafast", segmentSeconds: 2, duration: Rational(2)),
                output: store)
            _ = try await job.run { spec, io in try await executor.run(spec, io: io, stop: StopRequest()) }
        } catch let error as ClairoError {
            outcome.error = error
        }
        for key in try store.list(prefix: "") { outcome.objects[key] = try store.get(key) }
        return outcome
    }

    @Test(arguments: entries) func theResultIsTheSameWithAndWithoutASandbox(_ entry: MediaFolder.Entry) async throws {
        let inside = try await outcome(
            entry, ProcessExecutor(limits: ProcessLimits(stallSeconds: 600), executable: ClairoProcess.path))
        let outside = try await outcome(entry, InlineExecutor(engine: MediaTaskEngine()))
        // The messages may differ: concurrent tasks in one process share the last log line of libav.
        #expect(inside.error?.kind == outside.error?.kind, "\(inside.error as Any) and \(outside.error as Any)")
        #expect(inside.objects.keys.sorted() == outside.objects.keys.sorted())
        #expect(inside.objects.filter { outside.objects[$0.key] != $0.value }.keys.sorted() == [])
        #expect(inside.error == nil || inside.error?.kind == .badInput, "\(inside.error as Any)")
    }
}
