/// What upkeep removed; in a dry run, what it would remove.
public struct UpkeepReport: Sendable, Codable, Hashable {
    /// Objects of both stores, and of the exchange with ECS tasks.
    public var objects = 0
    /// Abandoned uploads: of senders to the raw store, and of dead workers to the output store.
    public var uploads = 0
    /// Files that killed writers left in stores that are folders.
    public var partialFiles = 0
    /// The total size of all these in bytes.
    public var bytes: Int64 = 0
    /// Videos whose deletion was completed.
    public var videos = 0
    /// Dead letters beyond the bounds.
    public var deadLetters = 0
    /// Other database rows. Not counted in a dry run.
    public var rows = 0

    public init() {}

    /// Whether nothing was removed.
    public var isEmpty: Bool { self == UpkeepReport() }

    public static func += (report: inout UpkeepReport, other: UpkeepReport) {
        report.objects += other.objects
        report.uploads += other.uploads
        report.partialFiles += other.partialFiles
        report.bytes += other.bytes
        report.videos += other.videos
        report.deadLetters += other.deadLetters
        report.rows += other.rows
    }
}
