import ClairoTestSupport
import Foundation
import Testing

/// The worker's report about the sandbox of its tasks, and the protection of the worker itself.
@Suite(.sharesMachine) struct SandboxTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private var environment: [String: String] { ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path] }

    /// Runs the binary as root in a user namespace without other users: a system without the user layer.
    private func asNamespaceRoot(_ arguments: String...) async throws -> ChildProcess.Outcome {
        try await ChildProcess(
            "unshare", ["--user", "--map-root-user", ClairoProcess.path] + arguments, environment: environment
        ).outcome()
    }

    @Test(.enabled(if: Unprivileged.mayMakeNamespaces, "user namespaces are not allowed"))
    func missingSandboxLayersAreReportedOnceAndFailARequiredSandbox() async throws {
        let required = try await asNamespaceRoot("consume", "--until-idle", "--sandbox", "require")
        #expect(required.status == 78, "\(required)")
        #expect(required.errors.contains("missing: user (Operation not permitted)"), "\(required)")
        #expect(!required.errors.contains("consuming"), "\(required)")

        let auto = try await asNamespaceRoot("consume", "--until-idle")
        #expect(auto.status == 0, "\(auto)")
        #expect(auto.errors.components(separatedBy: "missing: user").count == 2, "\(auto)")

        let off = try await asNamespaceRoot("consume", "--until-idle", "--sandbox", "off")
        #expect(off.status == 0 && !off.errors.contains("sandbox"), "\(off)")

        let doctor = try await asNamespaceRoot("doctor")
        #expect(doctor.status == 0, "\(doctor)")
        #expect(doctor.text.contains("ok    sandbox: "))
        #expect(doctor.text.contains("seccomp; missing: user (Operation not permitted)"), "\(doctor)")
    }

    @Test(.enabled(if: Unprivileged.mayMakeNamespaces, "user namespaces are not allowed"))
    func probeAndTranscodeReportMissingSandboxLayers() async throws {
        let source = try await Clip(seconds: 1).make().path
        for command in [["probe", source], ["transcode", source, "-o", scratch.path("out"), "--preset", "ultrafast"]] {
            func run(_ more: String...) async throws -> ChildProcess.Outcome {
                try await ChildProcess(
                    "unshare", ["--user", "--map-root-user", ClairoProcess.path] + command + more,
                    environment: environment
                ).outcome()
            }
            let required = try await run("--sandbox", "require")
            #expect(required.status == 78 && required.errors.contains("missing: user ("), "\(required)")
            let auto = try await run()
            #expect(auto.status == 0, "\(auto)")
            #expect(auto.errors.components(separatedBy: "missing: user (").count == 2, "\(auto)")
            try? FileManager.default.removeItem(atPath: scratch.path("out"))
            let off = try await run("--sandbox", "off")
            #expect(off.status == 0 && !off.errors.contains("missing"), "\(off)")
        }
    }

    @Test(.enabled(if: Unprivileged.mayMakeNamespaces, "user namespaces are not allowed"))
    func serveUploadAndProduceReportMissingSandboxLayersAndCanRequireAll() async throws {
        let source = try await Clip(seconds: 1).make().path
        let event = try scratch.write(#"{"Records":[]}"#, to: "event.json")
        for command in [["serve", "--listen", "127.0.0.1:0"], ["upload", source], ["produce", "--s3-event", event]] {
            let required = try await ChildProcess(
                "unshare", ["--user", "--map-root-user", ClairoProcess.path] + command + ["--sandbox", "require"],
                environment: environment
            ).outcome()
            #expect(required.status == 78 && required.errors.contains("missing: user ("), "\(required)")
        }
        let auto = try await asNamespaceRoot("upload", source)
        #expect(auto.status == 0 && auto.errors.components(separatedBy: "missing: user (").count == 2, "\(auto)")
        let off = try await asNamespaceRoot("upload", source, "--sandbox", "off")
        #expect(off.status == 0 && !off.errors.contains("missing"), "\(off)")
    }

    @Test func aRequiredSandboxIsRefusedForTheInlineExecutor() async throws {
        let outcome = try await ClairoProcess.run("consume", "--sandbox", "require", "--executor", "inline")
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("--sandbox require needs --executor process, docker or ecs"))
    }

    /// The worker's memory and environment contain credentials; other processes of its user cannot read them.
    @Test(.enabled(if: Unprivileged.canRunClairo, "other users cannot access the binary"))
    func anotherProcessOfTheSameUserCannotReadTheWorker() async throws {
        for (mode, isOpen) in [("auto", false), ("off", true)] {
            let worker = try Unprivileged.start(
                ClairoProcess.path, ["consume", "--sandbox", mode], in: scratch,
                environment: environment.merging(["SECRET": "hunter2"]) { $1 })
            _ = try #require(await worker.line(on: .messages) { $0.contains("consuming") })
            let look = try await Unprivileged.start("cat", ["/proc/\(worker.identifier)/environ"], in: scratch)
                .outcome()
            #expect(look.text.contains("hunter2") == isOpen, "\(mode): \(look)")
            worker.send(SIGTERM)
            _ = try await worker.outcome()
        }
    }
}
