import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Interactive commands decode in a sandboxed child, with the same result.
@Suite(.sharesMachine) struct TranscodeSandboxTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// The only child of a process, once it has received its task.
    private func child(of process: ChildProcess) async throws -> pid_t {
        var found: pid_t?
        try await eventually {
            let path = "/proc/\(process.identifier)/task"
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            let children = threads.flatMap { thread in
                ((try? String(contentsOfFile: "\(path)/\(thread)/children", encoding: .utf8)) ?? "")
                    .split(separator: " ").compactMap { pid_t($0) }
            }
            found = children.first
            return found != nil
        }
        return try #require(found)
    }

    /// A line of /proc/PID/status.
    private func status(_ process: pid_t, _ name: String) -> String? {
        (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8))?.split(separator: "\n")
            .first { $0.hasPrefix(name + ":") }.map {
                $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
            }
    }

    @Test func theOutputIsTheSameWithAndWithoutASandbox() async throws {
        let source = try await Clip(width: 640, height: 360, seconds: 6).make()
        for mode in ["auto", "off"] {
            let outcome = try await ClairoProcess.run(
                "transcode", source.path, "-o", scratch.path(mode), "--preset", "ultrafast", "--segment-seconds", "2",
                "--jobs", "2", "--chunk-cpu-seconds", "0.1", "--sandbox", mode)
            #expect(outcome.status == 0, "\(outcome)")
        }
        let (inside, outside) = (try contents(below: scratch.path("auto")), try contents(below: scratch.path("off")))
        #expect(inside.keys.sorted() == outside.keys.sorted())
        #expect(inside.filter { outside[$0.key] != $0.value }.keys.sorted() == [])
        for command in [["probe", source.path], ["plan", source.path], ["verify", scratch.path("auto")]] {
            let inside = try await ClairoProcess.run(arguments: command + ["--json"])
            let outside = try await ClairoProcess.run(arguments: command + ["--json", "--sandbox", "off"])
            #expect(inside.status == 0 && inside.text == outside.text && inside.errors == outside.errors, "\(command)")
        }
    }

    /// x265 and SVT-AV1 start threads, and write to standard error by default.
    @Test func allVideoCodecsAreEncodedInTheSandboxInSilence() async throws {
        let source = try await Clip(width: 128, height: 72, seconds: 1).make()
        let outcome = try await ClairoProcess.run(
            "transcode", source.path, "-o", scratch.path("out"), "--preset", "ultrafast", "--codec", "h264,hevc,av1",
            "--sandbox", "auto", "--progress", "none")
        #expect(outcome.status == 0, "\(outcome)")
        for word in ["x265", "Svt", "SVT"] { #expect(!outcome.errors.contains(word), "\(outcome.errors)") }
        let master = try String(contentsOfFile: scratch.path("out") + "/master.m3u8", encoding: .utf8)
        for codec in ["avc1.", "hvc1.", "av01."] { #expect(master.contains(codec)) }
    }

    @Test func theMessagesAreTheSameWithAndWithoutASandbox() async throws {
        let source = try await Clip(seconds: 4).make()
        var messages: [String] = []
        for mode in ["auto", "off"] {
            let arguments = ["transcode", source.path, "-o", "out", "--preset", "ultrafast", "--sandbox", mode]
            let folder = scratch.path(mode)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            _ = try await ClairoProcess.run(arguments: arguments, in: folder)
            let again = try await ClairoProcess.run(arguments: arguments, in: folder)
            #expect(again.status == 73)
            try FileManager.default.removeItem(atPath: folder + "/out/master.m3u8")
            try FileManager.default.removeItem(atPath: folder + "/out/video/180p/00001.m4s")
            let mended = try await ClairoProcess.run(arguments: arguments, in: folder)
            #expect(mended.errors.contains("Continuing") || mended.errors.contains("complete"), "\(mended)")
            messages.append(again.errors + mended.text)
        }
        #expect(messages[0] == messages[1])
    }

    @Test func theChildIsSandboxedAndEndsWithItsParent() async throws {
        let source = try await Clip(width: 640, height: 360, seconds: 20).make()
        let process = try ClairoProcess.start(["transcode", source.path, "-o", scratch.path("out")])
        let child = try await child(of: process)
        #expect(await process.wait { status(child, "Seccomp") == "2" })
        #expect(status(child, "NoNewPrivs") == "1")
        #expect(try String(contentsOfFile: "/proc/\(child)/oom_score_adj", encoding: .utf8) == "1000\n")
        #expect(try String(contentsOfFile: "/proc/\(process.identifier)/oom_score_adj", encoding: .utf8) != "1000\n")
        process.send(SIGINT)
        let outcome = try await process.outcome()
        #expect(outcome.status == 130, "\(outcome)")
        try await eventually { kill(child, 0) != 0 }
    }

    /// The source is fine. Only the child is in the control group: if it is slow to die on a busy machine, the kernel
    /// would kill the parent as well.
    @Test(.enabled(if: MemoryGroup.isPossible, "only root can create a memory control group"))
    func aChildKilledForLackOfMemoryIsATemporaryError() async throws {
        let source = try await Clip(width: 1920, height: 1080, seconds: 4).make()
        let group = try MemoryGroup(bytes: 64 << 20)
        let process = try ClairoProcess.start([
            "transcode", source.path, "-o", scratch.path("out"), "--preset", "medium",
        ])
        try group.take(try await child(of: process))
        let outcome = try await process.outcome()
        #expect(outcome.status == 75, "\(outcome)")
        #expect(outcome.errors.contains("ran out of memory, and the kernel ended the task's process"), "\(outcome)")
    }

    @Test func aCrashedChildIsADefectAndTheJobCanResume() async throws {
        let source = try await Clip(width: 640, height: 360, seconds: 10).make()
        let options = [
            "transcode", source.path, "-o", scratch.path("out"), "--segment-seconds", "2", "--preset", "faster",
        ]
        let process = try ClairoProcess.start(options)
        let child = try await child(of: process)
        #expect(await process.wait { files(below: scratch.path("out")).keys.contains { $0.hasSuffix("00001.m4s") } })
        kill(child, SIGSEGV)
        let outcome = try await process.outcome()
        #expect(outcome.status == 70 && outcome.errors.contains("crashed (signal 11)"), "\(outcome)")
        let again = try await ClairoProcess.run(arguments: options)
        #expect(again.status == 0 && again.errors.contains("Continuing"), "\(again)")
    }
}

/// A control group of this test, with a memory limit. Its processes must end before it is removed.
private final class MemoryGroup: Sendable {
    /// The hierarchy of version 1, or that of version 2 that has the controller (cgroups(7)).
    private static let place: (folder: String, limit: String)? = [
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"),
    ].first { folder, limit in
        let name = folder + "/clairo-test-\(UUID().uuidString.prefix(8))"
        guard mkdir(name, 0o755) == 0 else { return false }
        defer { rmdir(name) }
        return access("\(name)/\(limit)", W_OK) == 0
    }

    static var isPossible: Bool { place != nil }

    private let folder: String

    init(bytes: Int) throws {
        let (root, limit) = try #require(Self.place)
        folder = root + "/clairo-test-\(UUID().uuidString.prefix(8))"
        guard mkdir(folder, 0o755) == 0 else { throw POSIXError(.EACCES) }
        try Data("\(bytes)".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(limit)"))
    }

    /// Counts the memory that the process allocates from now on.
    func take(_ process: pid_t) throws {
        try Data("\(process)".utf8).write(to: URL(fileURLWithPath: folder + "/cgroup.procs"))
    }

    deinit { rmdir(folder) }
}
