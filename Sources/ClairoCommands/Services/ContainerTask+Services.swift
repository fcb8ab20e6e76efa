internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline
internal import ClairoStorage

extension ContainerTask.Services {
    /// The services of a task's container on Amazon ECS. It has no settings but variables from the worker; the worker's
    /// document contains everything else.
    /// - Parameter exchange: The URL of the folder with the document.
    init(
        exchange: String, limits: InputLimits, sandbox: SandboxMode, stop: StopRequest,
        environment: CommandEnvironment
    ) throws(ClairoError) {
        let (stores, variables) = (Stores(environment, stop: stop), environment.variables)
        let delivery = try ObjectDelivery { variables[$0.environmentName] }
        self.init(
            exchange: try stores.open(exchange),
            folder: { (spec, url, credentials, check) throws(ClairoError) in
                let folder = AttemptFolder(
                    store: try stores.open(url, delivery: delivery, credentials: credentials), spec: spec, check: check)
                return ContainerTask.Folder(output: folder, files: { folder.ownFiles })
            },
            source: { (size, etag, stop, url) throws(ClairoError) in
                PresignedSource.open(
                    name: "the source", size: size, etag: etag, environment: variables, stop: stop, url: url)
            },
            // This process needs some of the container's memory.
            executor: { memory in
                ProcessExecutor(
                    taking: limits, sandbox: sandbox, within: ProcessLimits(memory: memory.map { $0 / 4 * 3 }))
            }, environment: variables)
    }
}
