internal import ClairoCore

/// Reads the whole output store and removes what the marks in the database do not lead to: folders of jobs that the
/// database does not know, and garbage of known jobs.
struct FullSweep: Sendable {
    let metadata: any JobRecords & GarbageRecords & DeletionRecords
    let remover: ObjectRemover
    let jobs: JobSweep
    let olderThanSeconds: Double
    /// Whether to also remove published output of jobs that are not in the database.
    let removesUnknown: Bool

    private static let page = 1000

    func run() async throws(ClairoError) -> UpkeepReport {
        var report = UpkeepReport()
        var last: ObjectKey?
        var done: JobFolder?
        while true {
            try await remover.mayContinue()
            let after = last
            let page = try await onDedicatedThread(name: "list") { [remover] () throws(ClairoError) in
                try remover.store.list(prefix: OutputLayout.videos.rawValue, after: after, limit: Self.page)
            }
            // The keys of a folder follow one another, and a folder is swept as a whole.
            for folder in page.compactMap(JobFolder.init(containing:)) where folder != done {
                report += try await sweep(folder)
                done = folder
            }
            guard page.count == Self.page else { return report }
            last = page.last
        }
    }

    private func sweep(_ folder: JobFolder) async throws(ClairoError) -> UpkeepReport {
        if let deletion = try await metadata.deletion(of: folder.video) {
            // A video that is not gone yet is removed with its deletion.
            return deletion.finishedAt == nil
                ? UpkeepReport() : try await remover.removeObjects(under: folder.prefix)
        }
        if let job = try await metadata.job(folder.job), job.videoID == folder.video {
            return try await jobs.sweep(job, olderThanSeconds: olderThanSeconds)
        }
        if !removesUnknown, try await isPublished(folder) { return UpkeepReport() }
        return try await removeOldObjects(of: folder)
    }

    /// Whether a folder has published output. If the database does not know its job, this may be the wrong database.
    private func isPublished(_ folder: JobFolder) async throws(ClairoError) -> Bool {
        try await onDedicatedThread(name: "look for playlists") { [remover] () throws(ClairoError) in
            for key in OutputLayout.entryPoints where try remover.store.info(of: folder.place(key)) != nil {
                return true
            }
            return false
        }
    }

    /// Removes the objects of a folder that nobody knows, if they are old: a worker may be writing to it.
    private func removeOldObjects(of folder: JobFolder) async throws(ClairoError) -> UpkeepReport {
        var report = UpkeepReport()
        var last: ObjectKey?
        while true {
            let (after, age) = (last, olderThanSeconds)
            let (page, old) = try await onDedicatedThread(name: "list") { [remover] () throws(ClairoError) in
                let page = try remover.store.list(prefix: folder.prefix, after: after, limit: Self.page)
                var old: [ObjectEntry] = []
                for key in page {
                    guard let info = try remover.store.info(of: key), info.modified.seconds(since: .now) <= -age else {
                        continue
                    }
                    old.append(ObjectEntry(key: key, size: info.size))
                }
                return (page, old)
            }
            // The database may know the job by now.
            guard try await metadata.job(folder.job) == nil else { return report }
            report += try await remover.remove(old)
            guard page.count == Self.page else { return report }
            last = page.last
        }
    }
}
