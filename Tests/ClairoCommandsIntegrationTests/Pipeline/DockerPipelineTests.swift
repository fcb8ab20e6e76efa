import ClairoTestSupport
import Foundation
import Testing

/// The pipeline with tasks in containers, as operators run it.
@Suite(
    .sharesMachine,
    .enabled(if: DockerDaemon.isPossible, "no Docker daemon of our own here: \(DockerDaemon.lacking ?? "") is lacking"))
struct DockerPipelineTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func environment() async throws -> [String: String] {
        [
            "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path,
            "DOCKER_HOST": try await DockerDaemon.shared.url, "CLAIRO_DOCKER_IMAGE": try await DockerDaemon.image,
            "CLAIRO_PROFILES": try scratch.write(
                "default: {preset: ultrafast, segment-seconds: 1, chunk-cpu-seconds: 0.5}\n", to: "profiles.yaml"),
        ]
    }

    private func clairo(_ arguments: String...) async throws -> ChildProcess.Outcome {
        try await ClairoProcess.run(
            arguments: arguments, environment: environment(), deadline: .seconds(600))
    }

    /// The containers of this test's data directory, including exited ones.
    /// - Parameter filters: Additional filters, such as a label.
    private func containers(_ filters: String...) async throws -> [String] {
        guard let id = FileManager.default.contents(atPath: scratch.path("home/docker/id")) else { return [] }
        let all = ["label=clairo.folder=\(String(decoding: id, as: UTF8.self))"] + filters
        let listed = try await DockerDaemon.shared.docker(
            ["ps", "--all", "--quiet"] + all.flatMap { ["--filter", $0] })
        try #require(listed.status == 0, "\(listed)")
        return listed.text.split(separator: "\n").map(String.init)
    }

    @Test func aVideoIsProcessedInContainers() async throws {
        let clip = try await Clip(seconds: 4).make()
        let outcome = try await clairo(
            "run", clip.path, "--executor", "docker", "--docker-cpus", "2", "--docker-memory", "2048", "--json")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains("\"ready\""), "\(outcome)")
        #expect(try await containers() == [])
        let made = files(below: scratch.path("home/output")).keys
        #expect(made.contains { $0.hasSuffix("master.m3u8") } && made.contains { $0.hasSuffix(".m4s") })
    }

    /// Each setting is wrong once. The error is reported before any task is claimed.
    @Test(arguments: [
        (["--docker-image", "no/such:image"], 78, "no image no/such:image"),
        (["--docker-socket", "unix:///nowhere/docker.sock"], 69, "it is not running"),
        (["--docker-socket", "tcp://10.0.0.1:2375"], 78, "not a local Unix socket"),
        (["--docker-memory", "lots"], 78, "docker-memory is \"lots\""),
        (["--docker-folder", "/proc/nowhere"], 73, "--docker-folder"),
    ])
    func aWrongSettingStopsAWorkerAtOnce(_ arguments: [String], _ status: Int32, _ words: String) async throws {
        for command in [["consume", "--until-idle"], ["doctor"]] {
            let outcome = try await ClairoProcess.run(
                arguments: command + ["--executor", "docker"] + arguments, environment: environment())
            #expect(outcome.status == status, "\(outcome)")
            #expect((outcome.text + outcome.errors).contains(words), "\(outcome)")
        }
    }

    @Test func doctorChecksTheDaemonAndTheImage() async throws {
        let outcome = try await clairo("doctor")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains("ok    docker: version "), "\(outcome)")
        #expect(outcome.text.contains("in its containers: user, namespaces, privileges"), "\(outcome)")
        #expect(try await containers() == [])
    }

    @Test func theNextWorkerRemovesAKilledWorkersContainersAndFinishesItsVideo() async throws {
        let clip = try await Clip(width: 640, height: 360, seconds: 10).make()
        let uploaded = try await clairo("upload", clip.path)
        #expect(uploaded.status == 0, "\(uploaded)")
        let arguments = ["consume", "--executor", "docker", "--lease"]
        let first = try ClairoProcess.start(
            arguments + ["2"], environment: try await environment(), deadline: .seconds(600))
        try await eventually {
            // After the startup check, whose container has no task.
            guard try await !containers("label=clairo.task").isEmpty else { return false }
            // Otherwise it might finish the task before it is killed.
            first.send(SIGSTOP)
            if try await !containers("label=clairo.task").isEmpty { return true }
            first.send(SIGCONT)
            return false
        }
        first.send(SIGKILL)
        _ = try await first.outcome()
        #expect(try await !containers().isEmpty)

        let second = try await ClairoProcess.run(
            arguments: arguments + ["300", "--until-idle"], environment: environment(), deadline: .seconds(600))
        #expect(second.status == 0, "\(second)")
        // The daemon may have created one more container than existed when the worker died.
        #expect(second.errors.contains(/removed [1-9]\d* containers of workers that ended/), "\(second)")
        #expect(try await containers() == [])
        #expect(try await clairo("status").text.contains("ready"))
    }
}
