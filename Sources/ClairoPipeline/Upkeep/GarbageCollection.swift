public import ClairoCore
internal import Foundation

/// Removes obsolete data: objects of the output store that no published job refers to, abandoned multipart uploads, and
/// old rows. Sources are never touched.
public struct GarbageCollection: Sendable {
    /// What was removed.
    public struct Report: Sendable, Codable, Hashable {
        /// Objects removed, or to be removed in a dry run.
        public var objects = 0
        /// Their size.
        public var bytes: Int64 = 0
        /// Aborted multipart uploads. Not counted in a dry run.
        public var uploads = 0
        /// Removed database rows. Not counted in a dry run.
        public var rows = 0

        public init() {}
    }

    private let metadata: any JobRecords & UpkeepRecords
    private let output: any MultipartStore
    private let olderThanSeconds: Double
    private let isDryRun: Bool
    private let removesUnknown: Bool
    /// A webhook that has waited this long has no relay: a relay gives up after hours.
    private static let webhookSeconds = 30 * 86_400.0

    /// - Parameters:
    ///   - olderThanSeconds: Younger objects are kept, because a job may be about to refer to them.
    ///   - removesUnknown: Also removes published output of jobs that the database does not know.
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
                webhookSeconds: max(olderThanSeconds, Self.webhookSeconds))
        }
        return report
    }

    // MARK: Output

    /// A job's folder. The objects of a folder are adjacent in the store's list.
    private struct Folder: Sendable, Hashable {
        var video: VideoID
        var job: JobID
        var prefix: String { AttemptFolder.prefix(video: video, job: job) }

        init?(of key: ObjectKey) {
            let parts = key.rawValue.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            guard parts.count == 4, parts[0] == "videos", let video = VideoID(String(parts[1])),
                let job = JobID(String(parts[2]))
            else { return nil }
            (self.video, self.job) = (video, job)
        }
    }

    private func sweepOutput(
        _ report: inout Report, _ onRemove: @escaping @Sendable (ObjectKey) -> Void
    ) async throws(ClairoError) {
        var last: ObjectKey?
        var kept: (folder: Folder, keys: Set<ObjectKey>?)?
        while true {
            let after = last
            let page = try await onDedicatedThread(name: "list") { [output] () throws(ClairoError) in
                try output.list(prefix: "videos/", after: after, limit: 1000)
            }
            if page.isEmpty { return }
            last = page.last
            for key in page {
                guard let folder = Folder(of: key) else { continue }
                if kept?.folder != folder { kept = (folder, try await keysToKeep(in: folder)) }
                guard let keys = kept?.keys, !keys.contains(key) else { continue }
                try await remove(key, &report, onRemove)
            }
        }
    }

    /// - Returns: The keys to keep in a job's folder, or nil to keep all.
    private func keysToKeep(in folder: Folder) async throws(ClairoError) -> Set<ObjectKey>? {
        guard let job = try await metadata.job(folder.job), job.videoID == folder.video else {
            return try await isForeign(folder) && !removesUnknown ? nil : []
        }
        switch job.state {
        case .planning, .running, .finishing: return nil
        // A resumed job needs its existing segments. It can be resumed for as long as they are kept.
        case .failed, .cancelled:
            return job.updatedAt.seconds(since: .now) < -olderThanSeconds ? [] : nil
        case .succeeded:
            // Players may continue with a replaced output for the same time.
            let newest = try await metadata.jobs(of: job.videoID).first { $0.state == .succeeded }
            if let newest, newest.id != job.id {
                return newest.updatedAt.seconds(since: .now) < -olderThanSeconds ? [] : nil
            }
        }
        return try await onDedicatedThread(name: "read manifest") { [output] () throws(ClairoError) in
            let key = ObjectKey(folder.prefix + OutputManifest.key.rawValue)
            guard try output.info(of: key) != nil,
                let manifest = try? JSONDecoder().decode(OutputManifest.self, from: output.get(key))
            else { return nil }
            return Set(manifest.files.map { ObjectKey(folder.prefix + $0.key) } + [key])
        }
    }

    /// Whether an unknown job has published output. The database may be the wrong one.
    private func isForeign(_ folder: Folder) async throws(ClairoError) -> Bool {
        try await onDedicatedThread(name: "look for playlists") { [output] () throws(ClairoError) in
            for name in ["master.m3u8", "manifest.mpd"]
            where try output.info(of: ObjectKey(folder.prefix + name)) != nil {
                return true
            }
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

    /// Aborts multipart uploads of workers whose job has ended. The list is read before the job, so a job resumed in
    /// between has started other uploads. Uploads to the raw store belong to upload sessions and are swept by their
    /// rows.
    private func abortUploads() async throws(ClairoError) -> Int {
        let open = try await onDedicatedThread(name: "list uploads") { [output] () throws(ClairoError) in
            try output.openUploads(prefix: "videos/")
        }
        var count = 0
        for upload in open {
            guard let folder = Folder(of: upload.key) else { continue }
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
