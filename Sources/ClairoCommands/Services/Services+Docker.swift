internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import Foundation

/// Tasks in containers of this machine's Docker daemon.
extension Services {
    /// Whether any Docker setting is given.
    var namesDocker: Bool {
        [Settings.Key.dockerImage, .dockerSocket, .dockerFolder, .dockerMemory, .dockerCPUs].contains {
            settings.value($0) != nil
        }
    }

    /// - Throws: `configuration` (78) if a setting is not valid.
    func dockerExecutor(limits: InputLimits, sandbox: SandboxMode) throws(ClairoError) -> DockerExecutor {
        let folder = settings.value(.dockerFolder) ?? settings.home + "/docker"
        let memory = try positive(.dockerMemory, atLeast: 64).map { Int64($0 * 1024 * 1024) }
        let options = DockerExecutor.Options(
            image: settings.value(.dockerImage) ?? "clairo", socket: dockerSocket,
            folder: SystemFile.absolute(folder),
            limits: DockerLimits(task: ProcessLimits(memory: memory), cpus: try positive(.dockerCPUs, atLeast: 0.01)),
            sandbox: sandbox, arguments: RunTaskCommand.arguments(limits))
        if sandbox != .off { Sandbox.makeProcessNondumpable() }
        return try DockerExecutor(
            options, onKill: { [metrics] in metrics?.count($0) },
            onOrphans: { [log] count in log?.warn("removed \(count) containers of workers that ended") })
    }

    /// The URL of the daemon's socket.
    var dockerSocket: String {
        if let socket = settings.value(.dockerSocket) { return socket }
        // docker(1) reads the same variable.
        if let host = environment.variables["DOCKER_HOST"], !host.isEmpty { return host }
        return "unix:///var/run/docker.sock"
    }

    private func positive(_ key: Settings.Key, atLeast least: Double) throws(ClairoError) -> Double? {
        guard let text = settings.value(key) else { return nil }
        guard let number = Double(text), number.isFinite, (least...1e6).contains(number) else {
            throw .configuration(
                "\(key.rawValue) is \(text.debugDescription)", advice: "Give a number from \(least) up.")
        }
        return number
    }
}
