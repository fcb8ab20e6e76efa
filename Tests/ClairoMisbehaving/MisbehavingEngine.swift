internal import ClairoCore
internal import ClairoExecutors
internal import Foundation
internal import Glibc

/// The ways in which a task process can misbehave. Each must be one failed attempt.
enum Misbehaviour: String {
    case segv, abort, loop, spin, memory, exit, silence, garbage, hugeFrame, unknownOperation, badKeys, flood
    case closeSocket, fork, describe, waste, nest, exchange, foreignKeys
    case forge, hurry, empties, longKey, refuse
    case escape, bomb
}

struct MisbehavingEngine: TaskEngine {
    var misbehaviour: Misbehaviour
    /// For an escape: its name, followed after a colon by its argument.
    var target: String

    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult {
        guard let output = io.output else { throw .defect("The task was given no output folder") }
        switch misbehaviour {
        case .segv: kill(getpid(), SIGSEGV)
        case .abort: Glibc.abort()
        case .loop: while true { observer.progress(0) }
        case .spin: while io.source?.size != -1 {}
        case .memory:
            var blocks: [UnsafeMutableRawPointer] = []
            while let block = malloc(64 << 20) {
                memset(block, 1, 64 << 20)
                blocks.append(block)
            }
            throw ClairoError(kind: .capacity, exitCode: .temporary, "out of memory")
        case .exit: _exit(3)
        case .silence: while true { pause() }
        case .garbage: send("Hello, parent, this is no message at all")
        case .hugeFrame: send("\u{2}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{7f}\u{0}\u{0}\u{0}\u{7f}")
        case .unknownOperation:
            let head = #"{"operation":"reboot"}"#
            send(
                "\u{2}\u{1}\u{0}\u{0}\u{0}\(Character(Unicode.Scalar(UInt8(head.utf8.count))))" + "\u{0}\u{0}\u{0}"
                    + "\u{0}\u{0}\u{0}\u{0}" + head)
        case .badKeys:
            let keys: [ObjectKey] = ["../x", "/etc/passwd", "a//b", "a/../b", "", "a\u{0}b", ".", "a/"]
            var lines: [String] = []
            for key in keys {
                do throws(ClairoError) {
                    try output.put(Data("x".utf8), at: key)
                    lines.append("\(key) was written")
                } catch { lines.append(error.kind.rawValue) }
                do throws(ClairoError) {
                    lines.append("\(key) was read: \(try output.get(key).count)")
                } catch { lines.append(error.kind.rawValue) }
            }
            return TaskResult(lines: lines)
        case .foreignKeys:
            let keys: [ObjectKey] = [
                "clairo.json", "master.m3u8", "video/180p/playlist.m3u8", "video/180p/00301.m4s", "poster.jpg",
                "audio/und-aac-128k/init.mp4", "mp4/180p.mp4", "video/360p/00001.m4s", "given/x",
            ]
            var done: [String] = []
            for key in keys {
                let writes: [(ObjectKey) throws -> Void] = [
                    { try output.put(Data("x".utf8), at: $0) },
                    { try output.put(at: $0) { write in try write(Data("x".utf8)) } },
                    { try output.delete($0) },
                    { try output.delete([Self.key(0), $0]) },
                ]
                for (index, write) in writes.enumerated() {
                    do {
                        try write(key)
                        done.append("\(key): \(index)")
                    } catch {}
                }
            }
            return TaskResult(lines: done)
        case .flood: while true { try output.put(Data(count: 1 << 20), at: Self.key(0)) }
        case .closeSocket:
            // Another thread may be reading from it, which would keep it open.
            shutdown(3, Int32(SHUT_RDWR))
            close(3)
            while true { pause() }
        case .forge:
            switch spec.work {
            case .plan(let request): return TaskResult(plan: Self.forgedPlan(request))
            default: return TaskResult(usage: TaskUsage(cpuSeconds: 1e308))
            }
        case .hurry:
            observer.progress(.max)
            observer.update(.progress(JobProgress(framesDone: .max)))
            return TaskResult()
        case .empties:
            var count = 0
            while true {
                try output.put(Data(), at: Self.key(count))
                count += 1
            }
        case .refuse:
            // Even a request that is denied is one.
            _ = try? output.info(of: "x")
            throw .refused("The bucket does not exist", exitCode: .configuration)
        case .longKey:
            _ = try output.get(ObjectKey(String(repeating: "a", count: 300)))
        case .fork:
            var identifier: pid_t = 0
            let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
            posix_spawn(&identifier, "/bin/sleep", nil, nil, arguments, [nil])
            return TaskResult(lines: [String(identifier)])
        case .exchange:
            return TaskResult(lines: try Self.complaints(of: output))
        case .describe:
            return TaskResult(lines: Self.surroundings)
        case .nest:
            // Becomes a parent itself, reports the process id of its child, and waits to be killed.
            let inner = ProcessExecutor(arguments: ["--misbehave", "spin"])
            Task { try await inner.run(spec, io: io, observer: observer, stop: StopRequest()) }
            while true {
                let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
                for task in tasks {
                    let children = try? String(contentsOfFile: "/proc/self/task/\(task)/children", encoding: .utf8)
                    if let children, !children.isEmpty {
                        try output.put(Data(children.utf8), at: Self.key(0))
                        while true { pause() }
                    }
                }
            }
        case .escape:
            return TaskResult(lines: Escape.try(target))
        case .bomb: Escape.bomb()
        case .waste:
            FileHandle.standardError.write(Data(repeating: UInt8(ascii: "x"), count: 1 << 20))
            FileHandle.standardError.write(Data("the last words".utf8))
            _exit(9)
        }
        while true { pause() }
    }

    private func send(_ text: String) {
        let bytes = text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
        _ = write(3, bytes, bytes.count)
    }

    /// A plan that is valid except for its chunk, with segment indexes that overflow any multiplication.
    private static func forgedPlan(_ request: TaskSpec.PlanRequest) -> Plan {
        let grid = SegmentGrid(
            frameRate: Rational(25), frameCount: 150, segmentSeconds: request.settings.segmentSeconds)
        let rung = Rung(id: "180p", size: FrameSize(width: 320, height: 180), maxRate: 1, bufferSize: 1)
        let video = VideoPlan(
            streamIndex: 0, grid: grid, sourceFrameCount: 150, orientation: .upright, deinterlace: false,
            dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: 1, isSeekable: true, rungs: [rung],
            decisions: [])
        return Plan(
            source: request.source, settings: request.settings, origin: .zero, video: video, audio: [],
            chunks: [Chunk(index: 0, segments: (1 << 62)..<(1 << 62 + 1), seekTimestamp: nil)],
            prediction: Prediction(bytes: 1, cpuSeconds: 1))
    }

    /// A segment of the chunk that the tests run (`MisbehavingProcess.plan`).
    private static func key(_ index: Int) -> ObjectKey { OutputLayout.segment(.video, "180p", index) }

    /// Uses the output folder in every possible way.
    /// - Returns: What did not work as expected.
    private static func complaints(of store: any ObjectStore) throws(ClairoError) -> [String] {
        var complaints: [String] = []
        func expect(_ condition: Bool, _ what: String) { if !condition { complaints.append(what) } }
        // Blocks of 4 KiB that begin with their index: a loop over single bytes takes seconds without the optimizer.
        let (whole, written, broken, new) = (key(0), key(1), key(2), key(3))
        var large = Data(capacity: 20 << 20)
        for number in 0..<(20 << 8) {
            withUnsafeBytes(of: number) { large.append(contentsOf: $0) }
            large.append(Data(repeating: UInt8(truncatingIfNeeded: number), count: 4096 - MemoryLayout<Int>.size))
        }
        try store.put(large, at: whole)
        expect(try store.get(whole) == large, "get")
        do {
            try store.put(at: written) { write in
                for start in stride(from: 0, to: large.count, by: 5 << 20) {
                    try write(large[start..<start + (5 << 20)])
                }
            }
            try store.put(at: broken) { write in
                try write(large)
                throw ClairoError.cancelled
            }
        } catch { expect(error as? ClairoError == .cancelled, "\(error)") }
        expect(try store.info(of: broken) == nil, "what was broken off is there")
        let source = try store.open(written)
        expect(source.size == 20 << 20, "size")
        expect(try source.part(at: 3 << 20, count: 12 << 20) == large[(3 << 20)..<(15 << 20)], "part")
        try store.put(Data([1]), at: new)
        expect(try store.info(of: new)?.size == 1, "info")
        expect(try store.list(prefix: "video/", after: whole, limit: 9) == [written, new], "list")
        try store.delete([new, broken])
        expect(try store.list(prefix: "") == ["given/x", whole, written], "list after delete")
        do throws(ClairoError) {
            _ = try store.get(new)
            complaints.append("get of nothing")
        } catch { expect(error.exitCode == .noInput, "\(error)") }
        return complaints
    }

    /// Everything in this process that could be useful to an attacker.
    private static var surroundings: [String] {
        var found = ProcessInfo.processInfo.environment.map { "variable \($0.key)" }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
            // The descriptor that lists them is closed by now.
            if let target { found.append("\(name) \(target.prefix { $0 != ":" })") }
        }
        var limit = rlimit()
        for (name, resource) in [("core", RLIMIT_CORE), ("files", RLIMIT_NOFILE), ("size", RLIMIT_FSIZE)] {
            getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
            found.append("limit \(name) \(limit.rlim_max)")
        }
        return found + ["group \(getpgrp() == getpid())", "folder \(FileManager.default.currentDirectoryPath)"]
    }
}

extension TaskResult {
    /// A result that reports lines of text to the test.
    fileprivate init(lines: [String]) { self.init(warnings: lines.map { MediaWarning(.other, $0) }) }
}
