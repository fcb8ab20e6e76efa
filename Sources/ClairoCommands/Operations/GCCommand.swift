internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline
internal import Foundation

/// `clairo gc`: removes unreferenced objects, abandoned uploads and old rows.
struct GCCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Remove unreferenced objects, abandoned uploads and old rows.",
        discussion: """
            Searches the output store and the database. Sources, and objects that a running job may need, are kept. A \
            failed or cancelled job keeps its segments for --older-than; after that, clairo retry starts it over. Webhooks \
            that could not be sent for thirty days are removed. If an ECS cluster is set, documents that dead workers left \
            in the exchange are removed too.

              clairo gc --dry-run
              clairo gc --older-than 7d
            """)

    @Option(help: ArgumentHelp("Keep what is younger than this, such as 30m, 12h or 7d.", valueName: "age"))
    var olderThan: String = "1d"

    @Flag(
        help:
            "Also remove published outputs that the database does not know. Make sure that it is the right database.")
    var unknown = false

    @Flag(help: "Only list the objects to remove; uploads and rows are not counted.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let age = try Self.seconds(olderThan)
        let stop = StopRequest()
        let settings = try await serviceOptions.settings(environment)
        let services = Services(settings, environment, stop: stop)
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                let collection = GarbageCollection(
                    metadata: metadata, output: try services.outputStore(), olderThanSeconds: age, isDryRun: dryRun,
                    removesUnknown: unknown)
                // The upload sweep uses the rows of abandoned uploads.
                if !dryRun { try await UploadSweep(try services.registration(metadata, limits: InputLimits())).run() }
                let (dryRun, json) = (dryRun, json)
                @Sendable func onRemove(_ key: ObjectKey) {
                    if dryRun, !json { environment.output("\(Render.printable(key.rawValue))\n") }
                }
                var report = try await collection.run(onRemove: onRemove)
                if settings.value(.ecsCluster) != nil {
                    let left = try await Self.sweep(try services.ecsExchange(), age, dryRun, onRemove)
                    report.objects += left.objects
                    report.bytes += left.bytes
                }
                if json {
                    environment.output(
                        String(decoding: try JSON.encode(GCReport(report: report), pretty: false), as: UTF8.self) + "\n"
                    )
                } else {
                    let objects = "\(report.objects) objects (\(Render.bytes(report.bytes)))"
                    environment.output(
                        dryRun
                            ? "would remove \(objects)\n"
                            : "removed \(objects), \(report.uploads) abandoned uploads, \(report.rows) rows\n")
                }
            }
        }
    }

    private static func sweep(
        _ exchange: any ObjectStore, _ age: Double, _ isDryRun: Bool,
        _ onRemove: @escaping @Sendable (ObjectKey) -> Void
    ) async throws -> StoreUsage {
        try await onDedicatedThread(name: "sweep") {
            var removed = StoreUsage()
            try ExchangeSweep(exchange, olderThanSeconds: age).run { object throws(ClairoError) in
                onRemove(object.key)
                if !isDryRun { try exchange.delete(object.key) }
                removed.add(bytes: object.size)
            }
            return removed
        }
    }

    /// `90`, `30m`, `12h`, `7d`.
    static func seconds(_ text: String) throws(ClairoError) -> Double {
        let factors: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let factor = text.last.flatMap { factors[$0] }
        guard let value = Double(factor == nil ? text : String(text.dropLast())), value >= 0, value.isFinite else {
            throw .usage("--older-than \(text) is not an age", advice: "Give a number with s, m, h or d, such as 7d.")
        }
        return value * (factor ?? 1)
    }
}

/// The output of `clairo gc --json`.
struct GCReport: Codable {
    var schema = 1
    var report: GarbageCollection.Report
}
