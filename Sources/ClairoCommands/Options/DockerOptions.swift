internal import ArgumentParser
internal import ClairoCore

/// Settings of `--executor docker`.
struct DockerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Image that tasks run in; it must be on this machine (default: clairo).", valueName: "image"))
    var dockerImage: String?

    @Option(
        help: ArgumentHelp(
            "Unix socket of the Docker daemon (default: DOCKER_HOST, or unix:///var/run/docker.sock).",
            valueName: "url"))
    var dockerSocket: String?

    @Option(
        help: ArgumentHelp(
            "Folder for the sockets to tasks' containers (default: docker in the data directory). The Docker daemon must find it under the same path, so if this program runs in a container, mount the folder under its own path.",
            valueName: "folder"),
        completion: .directory)
    var dockerFolder: String?

    @Option(
        help: ArgumentHelp(
            "Memory of each task's container (default: three quarters of the machine's).", valueName: "MiB"))
    var dockerMemory: String?

    @Option(
        help: ArgumentHelp("CPUs that each task's container may use (default: all).", valueName: "count"))
    var dockerCpus: String?

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] {
        [
            (.dockerImage, dockerImage), (.dockerSocket, dockerSocket), (.dockerFolder, dockerFolder),
            (.dockerMemory, dockerMemory), (.dockerCPUs, dockerCpus),
        ]
    }
}
