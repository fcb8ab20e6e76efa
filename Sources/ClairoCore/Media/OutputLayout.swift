/// The kind of a rendition. The raw value is used in documents.
public enum RenditionKind: String, Sendable, Codable, Hashable, CaseIterable {
    case video, audio, text, image

    /// Whether the segments need an init segment.
    public var hasInitSegment: Bool { self == .video || self == .audio }
}

/// Makes all keys that Clairo writes, in the output folder and in the buckets. No other code knows their format.
///
/// ```
/// raw bucket      videos/<videoID>/source
/// output bucket   videos/<videoID>/<jobID>/master.m3u8            HLS multivariant playlist
///                                          manifest.mpd           DASH, on the same segments
///                                          video/<id>/init.mp4, 00001.m4s …, playlist.m3u8, iframes.m3u8
///                                          audio/<id>/init.mp4, 00001.m4s …, playlist.m3u8
///                                          …/<id>/media.mp4       instead of init.mp4 and segments (when asked)
///                                          text/<id>/00001.vtt …, playlist.m3u8, and whole: text/<id>.vtt
///                                          images/<id>/00001.jpg …, playlist.m3u8, storyboard.vtt
///                                          mp4/<id>.mp4    progressive; .m4a without video
///                                          poster.jpg, poster.webp, clairo.json
/// ```
///
/// Keys inside an output folder are relative to it; `JobFolder` places the folder in the output bucket. Players cache
/// these names and other programs link to them, so published names never change.
public enum OutputLayout {
    // MARK: The output folder

    /// The HLS multivariant playlist: the commit point of an output.
    public static let masterPlaylist: ObjectKey = "master.m3u8"
    /// The DASH manifest.
    public static let dashManifest: ObjectKey = "manifest.mpd"
    /// The poster image.
    public static let poster: ObjectKey = "poster.jpg"
    /// The same image in WebP, if libav can encode it.
    public static let posterWebP: ObjectKey = "poster.webp"
    /// The `OutputManifest`.
    public static let manifest: ObjectKey = "clairo.json"

    /// The files to give to players, in the order of display.
    public static let entryPoints = [masterPlaylist, dashManifest]

    /// The folder of the progressive files.
    public static let progressiveFolder = "mp4"

    /// The folder of all renditions of a kind.
    public static func folder(of kind: RenditionKind) -> String {
        switch kind {
        case .video: "video"
        case .audio: "audio"
        case .text: "text"
        case .image: "images"
        }
    }

    /// The folder of one rendition: `video/720p`.
    public static func folder(_ kind: RenditionKind, _ id: String) -> String { "\(folder(of: kind))/\(id)" }

    /// The key of an init segment.
    /// - Parameter attempt: The attempt that made it; see `ObjectKey.ofAttempt`.
    public static func initSegment(_ kind: RenditionKind, _ id: String, attempt: Int = 1) -> ObjectKey {
        ObjectKey("\(folder(kind, id))/init.mp4").ofAttempt(attempt)
    }

    /// Whether a key is an init segment of a rendition, of any attempt.
    public static func isInitSegment(_ key: ObjectKey, _ kind: RenditionKind, _ id: String) -> Bool {
        key.rawValue.hasPrefix("\(folder(kind, id))/init")
    }

    /// Whether a key is an init segment, of any rendition and attempt.
    public static func isInitSegment(_ key: ObjectKey) -> Bool {
        let name = fileName(of: key)
        return name.hasPrefix("init") && name.hasSuffix(".mp4")
    }

    /// The key of a segment. Indexes start at 0 and names at 1, with at least five digits.
    public static func segment(_ kind: RenditionKind, _ id: String, _ index: Int, attempt: Int = 1) -> ObjectKey {
        let number = String(index + 1)
        let digits = String(repeating: "0", count: max(0, 5 - number.count)) + number
        return ObjectKey("\(folder(kind, id))/\(digits).\(segmentExtension(of: kind))").ofAttempt(attempt)
    }

    private static func segmentExtension(of kind: RenditionKind) -> String {
        switch kind {
        case .video, .audio: "m4s"
        case .text: "vtt"
        case .image: "jpg"
        }
    }

    /// The file with all of a text rendition.
    public static func wholeText(_ id: String, attempt: Int = 1) -> ObjectKey {
        ObjectKey("\(folder(.text, id)).vtt").ofAttempt(attempt)
    }

    /// The number in the name of a segment, which counts from 1; nil for another object.
    public static func segmentNumber(of key: ObjectKey) -> Int? {
        let name = fileName(of: key)
        guard name.hasSuffix(".m4s") else { return nil }
        return Int(name.prefix { $0.isASCII && $0.isNumber })
    }

    /// The HLS media playlist of a rendition.
    public static func playlist(_ kind: RenditionKind, _ id: String) -> ObjectKey {
        ObjectKey("\(folder(kind, id))/playlist.m3u8")
    }

    /// The one file of a rendition whose segments have no files of their own.
    public static func singleFile(_ kind: RenditionKind, _ id: String) -> ObjectKey {
        ObjectKey("\(folder(kind, id))/media.mp4")
    }

    /// The HLS playlist of a rendition's key frames.
    public static func iframePlaylist(_ kind: RenditionKind, _ id: String) -> ObjectKey {
        ObjectKey("\(folder(kind, id))/iframes.m3u8")
    }

    /// The keys that may be written for a rendition in addition to its segments.
    public static func companions(_ kind: RenditionKind, _ id: String) -> [ObjectKey] {
        switch kind {
        case .video: [playlist(kind, id), iframePlaylist(kind, id), singleFile(kind, id), progressive(kind, id)]
        // Older versions wrote audio to an MP4 too.
        case .audio: [playlist(kind, id), singleFile(kind, id), progressive(kind, id), progressive(.video, id)]
        case .text: [playlist(kind, id)]
        case .image: [playlist(kind, id), storyboardTrack(id)]
        }
    }

    /// The progressive file: an MP4 for a rung, and an M4A for audio without video.
    public static func progressive(_ kind: RenditionKind, _ id: String) -> ObjectKey {
        ObjectKey("\(progressiveFolder)/\(id).\(kind == .audio ? "m4a" : "mp4")")
    }

    /// The WebVTT file of a storyboard. Its cues name a sheet and a rectangle each.
    public static func storyboardTrack(_ id: String) -> ObjectKey {
        ObjectKey("\(folder(.image, id))/storyboard.vtt")
    }

    /// Whether a key is a progressive file.
    public static func isProgressive(_ key: ObjectKey) -> Bool { key.rawValue.hasPrefix("\(progressiveFolder)/") }

    /// DASH's templates for the keys of an attempt that made all segments (ISO/IEC 23009-1, 5.3.9.4.4).
    public static func dashTemplates(
        _ kind: RenditionKind, attempt: Int = 1
    ) -> (initialization: String, media: String) {
        let folder = folder(kind, "$RepresentationID$")
        func name(_ file: String) -> String { ObjectKey("\(folder)/\(file)").ofAttempt(attempt).rawValue }
        return (name("init.mp4"), name("$Number%05d$.\(segmentExtension(of: kind))"))
    }

    /// Whether a key may be part of an output. The folder may hold other files too.
    public static func contains(_ key: ObjectKey) -> Bool {
        if [masterPlaylist, dashManifest, poster, posterWebP, manifest].contains(key) { return true }
        let parts = key.rawValue.split(separator: "/")
        let folders = RenditionKind.allCases.map(folder(of:)) + [progressiveFolder]
        return parts.count > 1 && folders.contains(String(parts[0]))
    }

    // MARK: References between files

    /// The folder that an object is in: `video/720p` for its segments.
    public static func folder(of key: ObjectKey) -> String {
        key.rawValue.split(separator: "/").dropLast().joined(separator: "/")
    }

    /// The name that a playlist uses for a file in its folder.
    public static func fileName(of key: ObjectKey) -> String {
        key.rawValue.split(separator: "/").last.map(String.init) ?? key.rawValue
    }

    /// The key of the file that a playlist calls `name`.
    public static func key(of name: String, in playlist: ObjectKey) -> ObjectKey {
        let folder = playlist.rawValue.split(separator: "/").dropLast().joined(separator: "/")
        return ObjectKey(folder.isEmpty ? name : "\(folder)/\(name)")
    }

    // MARK: The buckets

    /// The prefix of all videos, in both buckets.
    public static let videos: ObjectKey = "videos/"

    /// The prefix of a video.
    public static func folder(of video: VideoID) -> String { "\(videos)\(video)/" }

    /// The key of a video's source in the raw store. Its original name is metadata, never a key.
    public static func source(of video: VideoID) -> ObjectKey { ObjectKey("\(folder(of: video))source") }
}

/// The location of a job's output folder in the output bucket.
public struct JobFolder: Sendable, Hashable {
    /// The video.
    public var video: VideoID
    /// The job that made the output.
    public var job: JobID

    public init(video: VideoID, job: JobID) {
        self.video = video
        self.job = job
    }

    /// The folder of an object in the output bucket; nil if the object is in no job's folder.
    public init?(containing key: ObjectKey) {
        let parts = key.rawValue.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, "\(parts[0])/" == OutputLayout.videos.rawValue, let video = VideoID(String(parts[1])),
            let job = JobID(String(parts[2]))
        else { return nil }
        self.init(video: video, job: job)
    }

    /// The prefix of the output's keys.
    public var prefix: String { "\(OutputLayout.folder(of: video))\(job)/" }

    /// The bucket's key for a key of the output folder.
    public func place(_ key: ObjectKey) -> ObjectKey { ObjectKey(prefix + key.rawValue) }
}

extension ObjectKey {
    /// `video/720p/00007.m4s` for the first attempt, `video/720p/00007-2.m4s` for the second.
    ///
    /// Each attempt has its own names, so that a worker that lost its claim cannot overwrite segments in use.
    public func ofAttempt(_ attempt: Int) -> ObjectKey {
        guard attempt > 1, let dot = rawValue.lastIndex(of: ".") else { return self }
        return ObjectKey("\(rawValue[..<dot])-\(attempt)\(rawValue[dot...])")
    }
}
