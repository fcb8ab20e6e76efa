internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline

/// The deletion of videos and the removal of obsolete data.
extension Services {
    func deletion(_ metadata: any MetadataStore) -> VideoDeletion {
        VideoDeletion(metadata: metadata, messages: messages)
    }

    func removal(_ metadata: any MetadataStore) throws(ClairoError) -> VideoRemoval {
        VideoRemoval(metadata: metadata, raw: try rawStore(), output: try outputStore())
    }

    /// The ages and bounds that the settings give.
    func upkeepOptions() throws(ClairoError) -> Upkeep.Options {
        var options = Upkeep.Options()
        options.olderThanSeconds = try seconds(.gcOlderThan)
        options.deadLetters = Int(clamping: try count(.gcDeadLetters))
        options.deadLetterBytes = try count(.gcDeadLetterBytes)
        return options
    }

    /// Upkeep probes no media, so the sandbox is of no concern to it.
    private func registrationOfUpkeep(_ metadata: any MetadataStore) throws(ClairoError) -> UploadRegistration {
        try registration(metadata, limits: InputLimits(), sandbox: .off)
    }

    func upkeep(
        _ metadata: any MetadataStore, options: Upkeep.Options, observer: Upkeep.Observer
    ) throws(ClairoError) -> Upkeep {
        Upkeep(
            metadata: metadata, registration: try registrationOfUpkeep(metadata),
            output: try outputStore(), exchange: try exchangeSweep(), options: options, observer: observer)
    }

    /// The schedule of a daemon; nil if it has none.
    func upkeepSchedule(
        _ metadata: any MetadataStore, _ upkeepOptions: UpkeepOptions, log: PipelineLog
    ) throws(ClairoError) -> UpkeepSchedule? {
        // Checked even if they are not used.
        let (interval, options) = (try seconds(.gcInterval), try self.upkeepOptions())
        if upkeepOptions.noGC || interval == 0 { return nil }
        let observer = Upkeep.Observer(
            onDeadLetter: { log.note(removed: $0) },
            onError: { [metrics] error in
                log.warn(error.whileDoing("Removing obsolete data"))
                metrics?.count(error)
            })
        var services = self
        services.stop = StopRequest()
        // Opened now, so that wrong settings end the daemon at its start.
        let registration = try services.registrationOfUpkeep(metadata)
        let (output, exchange) = (try services.outputStore(), try services.exchangeSweep())
        return UpkeepSchedule(
            metadata, owner: Self.processName, intervalSeconds: interval, requests: services.stop,
            make: { findsLeftovers in
                var options = options
                options.findsLeftovers = findsLeftovers
                return Upkeep(
                    metadata: metadata, registration: registration, output: output, exchange: exchange,
                    options: options, observer: observer)
            },
            onEnd: { [metrics] report, failure in
                log.note(removed: report)
                metrics?.count(report, succeeded: failure == nil)
            }, onError: log.warning(metrics))
    }

    /// Nil if no tasks run on ECS.
    private func exchangeSweep() throws(ClairoError) -> Upkeep.Exchange? {
        if settings.value(.ecsCluster) == nil { return nil }
        let exchange = try ecsExchange()
        return { (age, isDryRun, onRemove) async throws(ClairoError) -> StoreUsage in
            try await withoutActuallyEscaping(onRemove) { onRemove async throws(ClairoError) in
                try await onDedicatedThread(name: "sweep exchange") { () throws(ClairoError) in
                    var removed = StoreUsage()
                    try ExchangeSweep(exchange, olderThanSeconds: age).run { object throws(ClairoError) in
                        onRemove(object.key)
                        if !isDryRun { try exchange.delete(object.key) }
                        removed.add(bytes: object.size)
                    }
                    return removed
                }
            }
        }
    }

    private func seconds(_ key: Settings.Key) throws(ClairoError) -> Double {
        guard let seconds = Age.seconds(settings[key]) else {
            throw .configuration("\(key.rawValue) \(settings[key]) is not a time", advice: Age.advice)
        }
        return seconds
    }

    private func count(_ key: Settings.Key) throws(ClairoError) -> Int64 {
        guard let count = Int64(settings[key]), count >= 0 else {
            throw .configuration(
                "\(key.rawValue) \(settings[key]) is not a whole number, 0 or more",
                advice: "Give digits only, such as 100000.")
        }
        return count
    }
}
