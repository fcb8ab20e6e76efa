public import ClairoCore
internal import Foundation

/// Sample records for tests of stores. Their times are slightly in the past, so that they are due.
public enum MetadataSamples {
    public static func video(
        id: VideoID = .make(), name: String = "holiday.mp4", sha256: String = String(repeating: "ab", count: 32),
        state: Video.State = .uploaded
    ) -> Video {
        let key = Video.sourceKey(id)
        return Video(
            id: id, state: state, title: "Holiday", originalName: name, profile: "default", priority: .normal,
            source: ObjectLocation(bucket: "raw", key: key.rawValue, url: "s3://raw/\(key)"), size: 5_000_000_000,
            sha256: sha256, media: media, traceID: Checksum.md5(Data(id.rawValue.utf8)), uploadedAt: past)
    }

    public static func message(
        of video: VideoID, topic: String = UploadMessage.topic, key: String? = nil, delay seconds: Double = 0
    ) -> OutboxMessage {
        let created = past
        return OutboxMessage(
            id: .make(), topic: topic, key: key ?? video.rawValue, headers: ["schema": "1", "name": "Ü \"x\""],
            payload: Data(#"{"videoID":"\#(video)","name":"Größe"}"#.utf8), createdAt: created,
            dueAt: created.advanced(bySeconds: seconds))
    }

    public static func upload(fingerprint: String = "f", expiresIn seconds: Double = 3600) -> UploadSession {
        UploadSession(
            id: .make(), videoID: .make(), fingerprint: fingerprint, originalName: "holiday.mp4", size: nil,
            createdAt: past, expiresAt: past.advanced(bySeconds: seconds))
    }

    public static func job(of video: VideoID) -> Job {
        Job(
            id: .make(), videoID: video, profile: "default", priority: .normal,
            traceID: Checksum.md5(Data(video.rawValue.utf8)), createdAt: past)
    }

    public static func task(
        of job: Job, _ kind: WorkTask.Kind = .chunk, index: Int = 0, priority: Priority = .normal,
        delay seconds: Double = 0
    ) -> WorkTask {
        let created = past
        return WorkTask(
            id: .make(), jobID: job.id, videoID: job.videoID, kind: kind, index: index, priority: priority,
            notBefore: created.advanced(bySeconds: seconds), framesPlanned: 1500, createdAt: created)
    }

    /// A plan without video and audio.
    public static let plan = Plan(
        source: SourceFingerprint(name: "holiday.mp4", size: 1000, identity: "sha256:00"),
        settings: TranscodeSettings(), origin: .zero, video: nil, audio: [], chunks: [],
        prediction: Prediction(bytes: 1, cpuSeconds: 2))

    public static let warning = MediaWarning(
        .trackUnused, "stream 2 (subtitles) is not used", advice: "Give it as a file.")

    public static let output = ProcessedOutput(
        masterPlaylist: "https://cdn/v/j/master.m3u8", manifest: "https://cdn/v/j/manifest.mpd", poster: nil,
        resolutions: ["1920x1080", "1280x720"])

    public static func rendition(of job: Job, _ height: Int = 1080) -> Rendition {
        let record = RenditionRecord(
            id: "\(height)p", kind: .video, codec: "avc1.640028",
            size: FrameSize(width: height * 16 / 9, height: height), frameRate: Rational(30000, 1001),
            frameCount: 1500, dynamicRange: .sdr, duration: 50.05, averageRate: 5_000_000, peakRate: 7_000_000,
            bytes: 123_456_789_012)
        return Rendition(
            record, playlistURL: "https://cdn/v/j/video/\(height)p/playlist.m3u8", fileURL: nil, jobID: job.id)
    }

    /// One rendition of each kind, in order, all of which have the same id.
    public static func renditionsOfAllKinds(of job: Job) -> [Rendition] {
        let video = RenditionRecord(
            id: "eng", kind: .video, codec: "av01.0.08M.10", size: FrameSize(width: 1920, height: 800),
            frameRate: Rational(24000, 1001), frameCount: 24, dynamicRange: .hdr10, duration: 1.001,
            averageRate: 1, peakRate: 2, bytes: 3)
        let audio = RenditionRecord(
            id: "eng", kind: .audio, codec: "ec-3", format: .eac351, channels: 6, language: "eng",
            role: .commentary, title: "Größe \"x\"", loudness: AudioLoudness(integrated: -23.25, truePeak: -1),
            duration: 1, averageRate: 384_000, peakRate: 385_000, bytes: 48_000)
        let text = RenditionRecord(
            id: "eng", kind: .text, codec: "wvtt", language: "eng", role: .captions, duration: 1, averageRate: 100,
            peakRate: 200, bytes: 10)
        let image = RenditionRecord(
            id: "eng", kind: .image, codec: "jpeg", size: FrameSize(width: 1600, height: 450), duration: 1,
            averageRate: 4000, peakRate: 4000, bytes: 500)
        return [video, audio, text, image].map {
            Rendition($0, playlistURL: "https://cdn/\($0.kind)", fileURL: "https://cdn/eng.\($0.kind)", jobID: job.id)
        }
    }

    /// A dead letter with a binary payload.
    public static func deadLetter(of video: VideoID? = nil, topic: String = "clairo.uploads") -> DeadLetter {
        DeadLetter(
            id: .make(), topic: topic, partition: 3, offset: 1 << 40, key: "k\u{1}", headers: ["a": "Ü"],
            payload: Data([0, 255, 128, 10]), failure: Failure(kind: .badInput, message: "garbage", advice: "Look."),
            attempts: 5, videoID: video, createdAt: past)
    }

    /// A second ago, because the database's clock may be slightly behind.
    private static var past: Timestamp { Timestamp.now.advanced(bySeconds: -1) }

    private static let media = MediaInfo(
        container: "mov,mp4,m4a,3gp,3g2,mj2", containerName: "QuickTime / MOV", size: 5_000_000_000,
        duration: 5400.0 / 7, declaredDuration: nil, bitRate: 7_000_000,
        video: [
            VideoStream(
                index: 0, codec: "h264", profile: "High", pixelFormat: "yuv420p", bitDepth: 8,
                codedSize: FrameSize(width: 1920, height: 1080), sampleAspectRatio: Rational(1, 1),
                orientation: .upright, displaySize: FrameSize(width: 1920, height: 1080),
                frameRate: Rational(30000, 1001), isVariableFrameRate: false, isInterlaced: false,
                color: .unspecified, dynamicRange: .sdr, frameCount: 23119, bitRate: 6_800_000, start: 0,
                end: 5400.0 / 7, keyFrameCount: 386, language: nil, isAttachedPicture: false, canDecode: true)
        ],
        audio: [], subtitles: [], otherStreams: ["tmcd"], selectedVideo: 0, selectedAudio: [], truncation: nil,
        isSeekable: true, warnings: [warning])
}
