internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import Foundation

extension ExecutorKind: ExpressibleByArgument {}

/// How tasks are worked on, the same for `consume` and `run`.
struct WorkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Tasks at once; one for two cores without it.", valueName: "count"))
    var concurrency: Int?

    @Option(
        help:
            "inline runs tasks in this process, process each in a child that is given no credentials, no environment and no connections, docker each in a container of its own, ecs each as a task of Amazon ECS."
    )
    var executor: ExecutorKind = .process

    @Option(
        help:
            "The kernel's walls around each task's process (see clairo doctor): auto builds those that this system has and tells which are missing, require does not begin without all of them, off builds none."
    )
    var sandbox: SandboxMode = .auto

    @Option(
        help: ArgumentHelp("Threads for decoding in each task; chosen from the cores without it.", valueName: "count"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Seconds without a sign of life after which others take over what this process had begun.",
            valueName: "seconds"))
    var lease: Double = 30

    @OptionGroup var docker: DockerOptions

    @OptionGroup var ecs: ECSOptions

    /// The settings that these options are the flags of.
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

    /// A chunk's encoders keep about two cores busy.
    var slots: Int { concurrency ?? Self.defaultSlots }
    static var defaultSlots: Int { max(1, (ProcessInfo.processInfo.activeProcessorCount + 1) / 2) }
}
