internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline
internal import ClairoStorage

/// The registration of sources, both uploaded ones and existing objects.
extension Services {
    func registration(
        _ metadata: any MetadataStore, limits: InputLimits, sandbox: SandboxMode
    ) throws(ClairoError) -> UploadRegistration {
        UploadRegistration(
            store: try rawStore(), metadata: metadata, prober: try prober(limits, sandbox: sandbox))
    }

    /// Handles messages about uploads.
    func intake(
        _ metadata: any MetadataStore, limits: InputLimits, sandbox: SandboxMode
    ) throws(ClairoError) -> UploadMessageHandler {
        UploadMessageHandler(
            metadata: metadata, start: try jobStart(metadata),
            events: try eventIntake(metadata, limits: limits, sandbox: sandbox))
    }

    /// Registers objects that events name.
    func eventIntake(
        _ metadata: any MetadataStore, limits: InputLimits, sandbox: SandboxMode = .auto
    ) throws(ClairoError) -> ObjectEventHandler {
        ObjectEventHandler(
            ownStores: [try rawStore(), try outputStore()], metadata: metadata,
            prober: try prober(limits, sandbox: sandbox),
            openBucket: { (name, requests) throws(ClairoError) in
                try Stores(environment, stop: requests, observe: metrics?.observeS3).open(StoreURL.bucket(name))
            }, stop: stop)
    }

    /// Probes sources in a child process. Workers may know profiles that are unknown here.
    func prober(_ limits: InputLimits, sandbox: SandboxMode = .auto) throws(ClairoError) -> any MediaProber {
        let profiles = try profiles()
        // Several uploads may be probed at once.
        let processLimits = ProcessLimits(memory: ProcessLimits.memory(of: MachineMemory.bytes, tasks: 8))
        return SandboxedProber(
            executor: ProcessExecutor(taking: limits, sandbox: sandbox, within: processLimits),
            settings: { (try? profiles.settings(of: $0)) ?? TranscodeSettings() })
    }
}
