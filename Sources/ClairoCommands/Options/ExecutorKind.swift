internal import ArgumentParser

/// How `consume` and `run` execute tasks.
enum ExecutorKind: String, CaseIterable, Sendable, ExpressibleByArgument {
    /// In this process: for tests, and for trusted media.
    case inline
    /// Each in a child process without credentials, network or database.
    case process
    /// Each in a container on this machine's Docker daemon.
    case docker
    /// Each as an Amazon ECS task.
    case ecs
}
