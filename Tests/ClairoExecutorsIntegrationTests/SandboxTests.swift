import ClairoCore
import ClairoExecutors
import ClairoMedia
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// An attacker in a task process gains nothing, and the worker continues.
@Suite(.sharesMachine, .enabled("the kernel or the container lacks a part of it") { await CompleteSandbox.isHere() })
struct SandboxTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func attempt(_ target: String, layers: [SandboxLayer] = []) async throws -> [String] {
        try await MisbehavingProcess("escape", target: target, layers: layers).run().warnings.map(\.message)
    }

    private func succeeded(_ lines: [String]) -> [String] { lines.filter { $0.hasSuffix(": done") } }

    @Test func noFileCanBeReadOrWritten() async throws {
        let canary = try scratch.write("untouched", to: "canary")
        let before = files(below: scratch.path)
        let tried = try await attempt("files:\(scratch.path)")
        #expect(tried.count > 15 && succeeded(tried) == [], "\(tried)")
        #expect(files(below: scratch.path) == before)
        #expect(try String(contentsOfFile: canary, encoding: .utf8) == "untouched")
    }

    @Test func memoryIsLimitedHoweverItIsAllocated() async throws {
        let tried = try await MisbehavingProcess(
            "escape", target: "memory", limits: ProcessLimits(memory: 512 << 20)
        ).run().warnings.map(\.message)
        #expect(tried.count == 5 && succeeded(tried) == [], "\(tried)")
    }

    @Test func writtenMemoryCannotBeExecuted() async throws {
        let tried = try await attempt("code")
        #expect(tried.count == 2 && succeeded(tried) == [], "\(tried)")
    }

    @Test func theSandboxCannotBeLeft() async throws {
        let tried = try await attempt("undumpable")
        #expect(tried == ["undumpable: Operation not permitted"])
    }

    @Test(.enabled(if: Unprivileged.mayMakeNamespaces, "user namespaces are not allowed"))
    func threadsAreLimited() async throws {
        let tried = try await attempt("threads")
        let count = try #require(tried.first?.split(separator: " ").last.flatMap { Int($0) })
        #expect((100...4096).contains(count))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can switch to another user"))
    func threadsAreLimitedWithoutANamespace() async throws {
        let tried = try await MisbehavingProcess(
            "escape", target: "threads", limits: ProcessLimits(memory: 1 << 40), layers: [.user]
        ).run().warnings.map(\.message)
        let count = try #require(tried.first?.split(separator: " ").last.flatMap { Int($0) }, "\(tried)")
        #expect((100...4096).contains(count))
    }

    #if arch(x86_64)
        /// For a seccomp filter, x32 is another architecture, for which libseccomp only kills the thread by default.
        @Test func anX32SystemCallKillsTheProcess() async throws {
            let error = try #require(await MisbehavingProcess("escape", target: "x32").error())
            #expect(error.kind == .defect && error.message.contains("SIGSYS"), "\(error)")
        }
    #endif

    /// Attempts that only an attacker would make.
    @Test(arguments: ["fork", "execute", "killParent", "killAll", "trace", "ring", "mount"])
    func accessToOtherProcessesKillsTheProcess(name: String) async throws {
        let error = try #require(await MisbehavingProcess("escape", target: name).error())
        #expect(error.kind == .defect)
        #expect(error.message.contains("forbidden") && error.message.contains("SIGSYS"), "\(error)")
        // The parent, which the attempt tried to kill, is this process. The next task still runs.
        #expect(try await MisbehavingProcess("exchange").run(store: storeWithObject()).warnings == [])
    }

    @Test func connectionsKillTheProcess() async throws {
        let server = try Canary(path: scratch.path("socket"))
        for target in ["tcp:\(server.port)", "unix:\(server.path)", "unix:\(server.abstractName)"] {
            let error = try #require(await MisbehavingProcess("escape", target: target).error(), "\(target)")
            #expect(error.kind == .defect && error.message.contains("SIGSYS"), "\(error)")
        }
        #expect(server.connections == 0)
        // Without a sandbox, the canary receives all of them.
        for target in ["tcp:\(server.port)", "unix:\(server.path)", "unix:\(server.abstractName)"] {
            let result = try await MisbehavingProcess("escape", target: target, sandbox: .off).run()
            let tried = result.warnings.map(\.message)
            #expect(succeeded(tried).count == 1, "\(tried)")
        }
        #expect(server.connections == 3)
    }

    /// Each layer of the sandbox is active and blocks what the other layers do not.
    @Test(arguments: [
        (SandboxLayer.landlock, "tcp", "Permission denied"), (.landlock, "abstract", "Operation not permitted"),
        (.landlock, "killParent", "Operation not permitted"), (.landlock, "trace", "Operation not permitted"),
        (.namespaces, "tcp", "Network is unreachable"), (.namespaces, "abstract", "Connection refused"),
        (.privileges, "mount", "Operation not permitted"),
    ])
    func eachLayerWorksAlone(layer: SandboxLayer, name: String, refusal: String) async throws {
        let server = try Canary(path: scratch.path("socket"))
        let target =
            switch name {
            case "tcp": "tcp:\(server.port)"
            case "abstract": "unix:\(server.abstractName)"
            default: name
            }
        let tried = try await attempt(target, layers: [layer])
        #expect(tried.count == 1 && tried.allSatisfy { $0.hasSuffix(": \(refusal)") }, "\(tried)")
        #expect(server.connections == 0)
    }

    @Test(arguments: [SandboxLayer.landlock, .seccomp])
    func twoLayersProtectFiles(layer: SandboxLayer) async throws {
        try scratch.write("untouched", to: "canary")
        let tried = try await attempt("files:\(scratch.path)", layers: [layer])
        // Landlock lets a process change the mode of its own files, although it cannot open them.
        #expect(succeeded(tried).filter { !$0.hasPrefix("chmod") || layer != .landlock } == [], "\(tried)")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can switch to another user"))
    func theUserLayerAloneProtectsFilesAndProcesses() async throws {
        try scratch.write("untouched", to: "canary")
        let tried = Set(try await attempt("files:\(scratch.path)", layers: [.user]))
        let parent = getpid()
        for what in [
            "read /etc/shadow", "read /proc/\(parent)/environ", "read /proc/\(parent)/mem", "read /proc/\(parent)/fd/0",
            "write \(scratch.path)/new", "unlink", "chmod",
        ] {
            #expect(tried.contains { $0.hasPrefix("\(what): ") && !$0.hasSuffix(": done") }, "\(what): \(tried)")
        }
        #expect(try await attempt("killParent", layers: [.user]) == ["killParent: Operation not permitted"])
    }

    @Test func aRequiredButIncompleteSandboxRunsNoTask() async throws {
        let error = try #require(
            await MisbehavingProcess("exchange", sandbox: .require, layers: [.seccomp, .landlock, .privileges]).error())
        #expect(error.exitCode == .configuration)
        #expect(error.message.contains("missing: user (left out), namespaces (left out)"), "\(error)")
        let complete = MisbehavingProcess("exchange", sandbox: .require)
        #expect(try await complete.run(store: storeWithObject()).warnings == [])
    }

    private func storeWithObject() throws -> MemoryStore {
        let store = MemoryStore()
        try store.put(Data("there".utf8), at: "given/x")
        return store
    }
}

enum CompleteSandbox {
    static func isHere() async -> Bool {
        do {
            let report = try await ProcessExecutor(executable: ClairoProcess.path).sandboxReport()
            // The sixth version was the first to cover signals and abstract sockets.
            return report.isComplete && report.landlockVersion >= 6
        } catch {
            Issue.record(error)
            return false
        }
    }
}
