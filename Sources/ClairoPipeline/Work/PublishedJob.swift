internal import ClairoCore

/// The URLs, resolutions and renditions of a finished job, as recorded in the database.
struct PublishedJob {
    let job: Job
    let result: TaskResult
    let store: any BackingStore

    private var formats: [OutputFormat] { job.plan?.settings.formats ?? [] }

    private func url(_ key: ObjectKey) -> String {
        store.location(of: JobFolder(video: job.videoID, job: job.id).place(key)).url
    }

    var renditions: [Rendition] {
        let rungs = Dictionary((job.plan?.video?.rungs ?? []).map { ($0.id, $0) }) { first, _ in first }
        return result.renditions.map { record in
            let rung = rungs[record.name]
            return Rendition(
                videoID: job.videoID, jobID: job.id, name: record.name, width: record.size.width,
                height: record.size.height, codec: record.codec, averageRate: record.averageRate,
                peakRate: record.peakRate, bytes: record.bytes,
                playlistURL: formats.contains(.hls) ? rung.map { url($0.playlistKey) } : nil,
                mp4URL: formats.contains(.mp4) ? rung.map { url($0.mp4Key) } : nil)
        }
    }

    var output: ProcessedOutput {
        ProcessedOutput(
            masterPlaylist: formats.contains(.hls) ? url(OutputLayout.masterPlaylist) : nil,
            manifest: formats.contains(.dash) ? url(OutputLayout.dashManifest) : nil,
            poster: job.plan?.video == nil ? nil : url(OutputLayout.poster),
            resolutions: result.renditions.map { "\($0.size.width)x\($0.size.height)" })
    }
}
