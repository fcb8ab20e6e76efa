internal import ClairoCore

/// A finished job as the video's row tells of it: URLs, resolutions, renditions.
struct PublishedJob {
    let job: Job
    let result: TaskResult
    let store: any BackingStore

    private var formats: [OutputFormat] { job.plan?.settings.formats ?? [] }

    private func url(_ key: ObjectKey) -> String {
        store.location(of: ObjectKey(AttemptFolder.prefix(video: job.videoID, job: job.id) + key.rawValue)).url
    }

    var renditions: [Rendition] {
        let rungs = Dictionary((job.plan?.video?.rungs ?? []).map { ($0.name, $0) }) { first, _ in first }
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
            masterPlaylist: formats.contains(.hls) ? url("master.m3u8") : nil,
            manifest: formats.contains(.dash) ? url("manifest.mpd") : nil,
            poster: job.plan?.video == nil ? nil : url("poster.jpg"),
            resolutions: result.renditions.map { "\($0.size.width)x\($0.size.height)" })
    }
}
