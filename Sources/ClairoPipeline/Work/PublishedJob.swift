internal import ClairoCore

/// The URLs, sizes and renditions of a finished job, as recorded in the database.
struct PublishedJob {
    let job: Job
    let result: TaskResult
    let store: any BackingStore

    private var formats: [OutputFormat] { job.plan?.settings.outputFormats ?? [] }

    private func url(_ key: ObjectKey) -> String {
        store.location(of: JobFolder(video: job.videoID, job: job.id).place(key)).url
    }

    var renditions: [Rendition] {
        result.renditions.sorted(by: RenditionRecord.isBefore).map { record in
            let planned = job.plan?.published.first { $0.kind == record.kind && $0.id == record.id }
            return Rendition(
                record, playlistURL: formats.contains(.hls) ? planned.map { url($0.playlistKey) } : nil,
                fileURL: planned.flatMap(fileKey).map(url), jobID: job.id)
        }
    }

    /// The file with the whole rendition; nil if it was not made.
    private func fileKey(of rendition: any RenditionKeys) -> ObjectKey? {
        switch rendition.kind {
        case .video: formats.contains(.mp4) ? rendition.mp4Key : nil
        // Files of video contain the audio.
        case .audio: formats.contains(.mp4) && job.plan?.video == nil ? rendition.mp4Key : nil
        case .text: (rendition as? TextPlan)?.wholeKey
        case .image: (rendition as? ImagePlan)?.trackKey
        }
    }

    var output: ProcessedOutput {
        var sizes: [FrameSize] = []
        for rendition in renditions.map(\.record) where rendition.kind == .video {
            if let size = rendition.size, !sizes.contains(size) { sizes.append(size) }
        }
        return ProcessedOutput(
            masterPlaylist: formats.contains(.hls) ? url(OutputLayout.masterPlaylist) : nil,
            manifest: formats.contains(.dash) ? url(OutputLayout.dashManifest) : nil,
            poster: job.plan?.video == nil ? nil : url(OutputLayout.poster), resolutions: sizes.map(\.description))
    }
}
