public import ClairoCore
internal import Foundation

/// Removes obsolete data: objects of the output store that no published job refers to, abandoned multipart uploads, and
/// old rows. Sources are never touched.
public struct GarbageCollection: Sendable {
    /// What was removed.
    public struct Report: Sendable, Codable, Hashable {
        /// The number of removed objects; in a dry run, of those to remove.
        public var objects = 0
        /// The total size of these objects in bytes.
        public var bytes: Int64 = 0
        /// The number of aborted multipart uploads. Not counted in a dry run.
        public var uploads = 0
        /// The number of removed database rows. Not counted in a dry run.
        public var rows = 0

        public init() {}
    }

    private let metadata: any JobRecords & UpkeepRecords
    private let output: any MultipartStore
    private let olderThanSeconds: Double
    private let isDryRun: Bool
    private let removesUnknown: Bool
    /// The age in seconds at which undelivered webhooks are removed. No relay delivers them, because a relay gives up
    /// after hours.
    private static let webhookSeconds = 30 * 86_400.0

    /// - Parameters:
    ///   - olderThanSeconds: Younger objects are kept, because a job may be about to refer to them.
    ///   - removesUnknown: Whether to also remove published output of jobs that are not in the database.
    public init(
        metadata: any JobRecords & UpkeepRecords, output: any MultipartStore, olderThanSeconds: Double, isDryRun: Bool,
        removesUnknown: Bool
    ) {
        self.removesUnknown = removesUnknown
        self.metadata = metadata
        self.output = output
        self.olderThanSeconds = olderThanSeconds
        self.isDryRun = isDryRun
    }

    /// Runs one pass.
    /// - Parameter onRemove: Called for each object before it is removed.
    public func run(onRemove: @escaping @Sendable (ObjectKey) -> Void) async throws(ClairoError) -> Report {
        var report = Report()
        try await sweepOutput(&report, onRemove)
        if !isDryRun {
            report.uploads = try await abortUploads()
            report.rows = try await metadata.purge(
                olderThanSeconds: max(olderThanSeconds, 86_400),
                webhookSeconds: max(olderThanSeconds, Self.webhookSeconds), limit: 1000)
        }
        return report
    }

    // MARK: Output

    private func sweepOutput(
        _ report: inout Report, _ onRemove: @escaping @Sendable (ObjectKey) -> Void
    ) async throws(ClairoError) {
        var last: ObjectKey?
        var kept: (folder: JobFolder, keys: Set<ObjectKey>?)?
        while true {
            let after = last
            let page = try await onDedicatedThread(name: "list") { [output] () throws(ClairoError) in
                try output.list(prefix: OutputLayout.videos.rawValue, after: after, limit: 1000)
            }
            if page.isEmpty { return }
            last = page.last
            for key in page {
                guard let folder = JobFolder(containing: key) else { continue }
                if kept?.folder != folder { kept = (folder, try await keysToKeep(in: folder)) }
                guard let keys = kept?.keys, !keys.contains(key) else { continue }
                try await remove(key, &report, onRemove)
            }
        }
    }

    /// - Returns: The keys to keep in a job's folder, or nil to keep all.
    private func keysToKeep(in folder: JobFolder) async throws(ClairoError) -> Set<ObjectKey>? {
        guard let job = try await metadata.job(folder.job), job.videoID == folder.video else {
            return try await isForeign(folder) && !removesUnknown ? nil : []
        }
        switch job.state {
        case .planning, .running, .finishing: return nil
        // A job can be resumed as long as its segments are kept.
        case .failed, .cancelled:
            return job.updatedAt.seconds(since: .now) < -olderThanSeconds ? [] : nil
        case .succeeded:
            // Players may still use a replaced output, so it is kept as long as other objects.
            let newest = try await metadata.jobs(of: job.videoID).first { $0.state == .succeeded }
            if let newest, newest.id != job.id {
                return newest.updatedAt.seconds(since: .now) < -olderThanSeconds ? [] : nil
            }
        }
        return try await onDedicatedThread(name: "read manifest") { [output] () throws(ClairoError) in
            let key = folder.place(OutputLayout.manifest)
            guard try output.info(of: key) != nil,
                let manifest = try? JSONDecoder().decode(OutputManifest.self, from: output.get(key))
            else { return nil }
            return Set(manifest.files.map { folder.place(ObjectKey($0.key)) } + [key])
        }
    }

    /// Whether a job that is not in the database has published output. If so, this may be the wrong database.
    private func isForeign(_ folder: JobFolder) async throws(ClairoError) -> Bool {
        try await onDedicatedThread(name: "look for playlists") { [output] () throws(ClairoError) in
            for key in OutputLayout.entryPoints where try output.info(of: folder.place(key)) != nil { return true }
            return false
        }
    }

    private func remove(
        _ key: ObjectKey, _ report: inout Report, _ onRemove: @escaping @Sendable (ObjectKey) -> Void
    ) async throws(ClairoError) {
        let size = try await onDedicatedThread(name: "remove") {
            [output, olderThanSeconds, isDryRun] () throws(ClairoError) -> Int64? in
            guard let info = try output.info(of: key), info.modified.seconds(since: .now) <= -olderThanSeconds else {
                return nil
            }
            onRemove(key)
            if !isDryRun { try output.delete(key) }
            return info.size
        }
        guard let size else { return }
        report.objects += 1
        report.bytes += size
    }

    // MARK: Uploads

    /// Aborts multipart uploads of workers whose job has ended. The uploads are listed before the job is read, so
    /// uploads of a job that is resumed in between are not in the list. Uploads to the raw store belong to upload
    /// sessions, which `UploadSweep` removes.
    private func abortUploads() async throws(ClairoError) -> Int {
        let open = try await onDedicatedThread(name: "list uploads") { [output] () throws(ClairoError) in
            try output.openUploads(prefix: OutputLayout.videos.rawValue)
        }
        var count = 0
        for upload in open {
            guard let folder = JobFolder(containing: upload.key) else { continue }
            let job = try await metadata.job(folder.job)
            guard job?.state.isFinal ?? removesUnknown else { continue }
            try await onDedicatedThread(name: "abort upload") { [output] () throws(ClairoError) in
                try output.abort(upload)
            }
            count += 1
        }
        return count
    }
}
