internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import Foundation

/// How `consume` and `run` run tasks.
struct WorkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Tasks to run at once (default: one for every two cores).", valueName: "count"))
    var concurrency: Int?

    @Option(
        help:
            "Where tasks run: inline in this process, process in child processes without credentials, environment or connections, docker in containers, ecs as Amazon ECS tasks."
    )
    var executor: ExecutorKind = .process

    @Option(
        help:
            "Kernel sandbox around each task (see clairo doctor): auto uses what this system has and warns about the rest, require refuses to start if anything is missing, off uses none."
    )
    var sandbox: SandboxMode = .auto

    @Option(
        help: ArgumentHelp("Decoder threads for each task (default: from cores).", valueName: "count"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Seconds without a heartbeat after which other workers take over this process's tasks.",
            valueName: "seconds"))
    var lease: Double = 30

    @OptionGroup var docker: DockerOptions

    @OptionGroup var ecs: ECSOptions

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] { docker.flags + ecs.flags }

    func validate() throws {
        guard (1...3600).contains(lease) else { throw ValidationError("--lease must be from 1 to 3600 seconds.") }
        guard (concurrency ?? 1) >= 1, (concurrency ?? 1) <= 1024 else {
            throw ValidationError("--concurrency must be from 1 to 1024.")
        }
        guard (threads ?? 1) >= 1 else { throw ValidationError("--threads must be 1 or more.") }
        guard sandbox != .require || executor != .inline else {
            throw ValidationError("--sandbox require needs --executor process, docker or ecs.")
        }
    }

    /// The number of concurrent tasks. The encoders of a chunk use about two cores.
    var slots: Int { concurrency ?? Self.defaultSlots }
    static var defaultSlots: Int { max(1, (ProcessInfo.processInfo.activeProcessorCount + 1) / 2) }
}
