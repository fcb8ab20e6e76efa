internal import ClairoCore
internal import Foundation

/// Removes what a job has left in its folder of the output store:
///
/// - everything, if the job failed or was cancelled, or its output was replaced;
/// - files of repeated attempts, if it succeeded.
///
/// Before everything of a job is removed, the job is fenced in the database, so that it cannot be resumed. A retry then
/// starts another job, in another folder. So nothing that is removed here can be needed again, whatever happens between
/// two requests.
struct JobSweep: Sendable {
    let metadata: any JobRecords & GarbageRecords
    let remover: ObjectRemover

    private enum Fate {
        case keep
        case removeAll
        case removeAllBut(Set<ObjectKey>)
    }

    /// - Parameter olderThanSeconds: Garbage that is younger is kept; nil if the age was checked by the mark.
    func sweep(_ job: Job, olderThanSeconds age: Double?) async throws(ClairoError) -> UpkeepReport {
        let folder = JobFolder(video: job.videoID, job: job.id)
        var report = UpkeepReport()
        switch try await fate(of: job, in: folder, age) {
        case .keep: return report
        case .removeAll:
            if !remover.isDryRun, try await !metadata.beginSweep(of: job) { return report }
            report = try await remover.removeObjects(under: folder.prefix)
        case .removeAllBut(let kept): report = try await remover.removeObjects(under: folder.prefix, except: kept)
        }
        report += try await remover.removePartialObjects(under: folder.prefix, olderThanSeconds: 0)
        if !remover.isDryRun { try await metadata.endSweep(of: job) }
        return report
    }

    private func fate(of job: Job, in folder: JobFolder, _ age: Double?) async throws(ClairoError) -> Fate {
        func isOld(_ time: Timestamp) -> Bool { age.map { time.seconds(since: .now) <= -$0 } ?? true }
        switch job.state {
        case .planning, .running, .finishing: return .keep
        case .failed, .cancelled: return isOld(job.updatedAt) ? .removeAll : .keep
        case .succeeded: break
        }
        let newest = try await metadata.jobs(of: job.videoID).first { $0.state == .succeeded }
        // Players may still use a replaced output.
        if let newest, newest.id != job.id { return isOld(newest.updatedAt) ? .removeAll : .keep }
        guard isOld(job.updatedAt) else { return .keep }
        let manifest = try await onDedicatedThread(name: "read manifest") {
            [store = remover.store] () throws(ClairoError) -> OutputManifest? in
            let key = folder.place(OutputLayout.manifest)
            guard try store.info(of: key) != nil else { return nil }
            return try? JSONDecoder().decode(OutputManifest.self, from: store.get(key))
        }
        // Without a manifest, nobody knows what is needed.
        guard let manifest else { return .keep }
        return .removeAllBut(
            Set(manifest.files.map { folder.place(ObjectKey($0.key)) } + [folder.place(OutputLayout.manifest)]))
    }
}
