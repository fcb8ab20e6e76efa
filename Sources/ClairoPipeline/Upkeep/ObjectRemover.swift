internal import ClairoCore

/// Removes objects and uploads of a store, page by page, and counts them.
struct ObjectRemover: Sendable {
    let store: any BackingStore & MultipartStore
    let isDryRun: Bool
    /// Called before each page. Throws if the removal must stop.
    let mayContinue: @Sendable () async throws(ClairoError) -> Void
    /// Called for each object, before its page is removed.
    let onRemove: @Sendable (ObjectKey) -> Void

    /// What one request of S3 can remove.
    private static let page = 1000

    /// Removes all objects under `prefix` except `kept`.
    func removeObjects(under prefix: String, except kept: Set<ObjectKey> = []) async throws(ClairoError) -> UpkeepReport
    {
        var report = UpkeepReport()
        var last: ObjectKey?
        while true {
            let after = last
            let page = try await onDedicatedThread(name: "list") { [store] () throws(ClairoError) in
                try store.entries(prefix: prefix, after: after, limit: Self.page)
            }
            report += try await remove(page.filter { !kept.contains($0.key) })
            guard page.count == Self.page else { return report }
            last = page.last?.key
        }
    }

    /// Removes up to a page of objects.
    func remove(_ entries: [ObjectEntry]) async throws(ClairoError) -> UpkeepReport {
        var report = UpkeepReport()
        if entries.isEmpty { return report }
        try await mayContinue()
        for entry in entries { onRemove(entry.key) }
        if !isDryRun {
            try await onDedicatedThread(name: "remove") { [store] () throws(ClairoError) in
                try store.delete(entries.map(\.key))
            }
        }
        report.objects = entries.count
        report.bytes = entries.reduce(0) { $0 + $1.size }
        return report
    }

    /// Aborts the multipart uploads of keys under `prefix`.
    func abortUploads(under prefix: String) async throws(ClairoError) -> UpkeepReport {
        var report = UpkeepReport()
        let open = try await onDedicatedThread(name: "list uploads") { [store] () throws(ClairoError) in
            try store.openUploads(prefix: prefix)
        }
        for upload in open { report += try await abort(upload) }
        return report
    }

    /// Aborts a multipart upload.
    func abort(_ upload: MultipartUpload) async throws(ClairoError) -> UpkeepReport {
        try await mayContinue()
        return try await onDedicatedThread(name: "abort upload") { [store, isDryRun] () throws(ClairoError) in
            var report = UpkeepReport()
            report.uploads = 1
            // Its parts are only counted. An upload that ended meanwhile has none.
            report.bytes = ((try? store.parts(of: upload)) ?? []).reduce(0) { $0 + Int64($1.size) }
            if !isDryRun { try store.abort(upload) }
            return report
        }
    }

    /// Removes what killed writers left besides objects and uploads.
    func removePartialObjects(under prefix: String, olderThanSeconds seconds: Double) async throws(ClairoError)
        -> UpkeepReport
    {
        try await mayContinue()
        return try await onDedicatedThread(name: "remove partial files") { [store, isDryRun] () throws(ClairoError) in
            let usage = try store.removePartialObjects(
                prefix: prefix, olderThanSeconds: seconds, isDryRun: isDryRun)
            var report = UpkeepReport()
            (report.partialFiles, report.bytes) = (usage.objects, usage.bytes)
            return report
        }
    }
}
