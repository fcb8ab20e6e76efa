/// The properties of a rendition that determine the names of its objects.
public protocol RenditionKeys: Sendable {
    /// Kind of the rendition.
    var kind: RenditionKind { get }
    /// The id, unique among the renditions of its kind. Also the name of the folder.
    var id: String { get }
    /// The attempt that made segment `index`: 1 unless the task was retried.
    func attempt(ofSegment index: Int) -> Int
    /// The key of its progressive file.
    var mp4Key: ObjectKey { get }
}

extension RenditionKeys {
    /// Folder of its segments.
    public var folder: String { OutputLayout.folder(kind, id) }
    /// The key of the init segment, which the attempt that made the first segment wrote.
    public var initKey: ObjectKey { OutputLayout.initSegment(kind, id, attempt: attempt(ofSegment: 0)) }
    /// Its one file, if its segments have no files of their own.
    public var singleFileKey: ObjectKey { OutputLayout.singleFile(kind, id) }
    /// Its HLS media playlist.
    public var playlistKey: ObjectKey { OutputLayout.playlist(kind, id) }
    /// The key of its progressive file: an MP4, for audio an M4A.
    public var mp4Key: ObjectKey { OutputLayout.progressive(kind, id) }
    /// The keys that may be written in addition to its segments.
    public var companionKeys: [ObjectKey] { OutputLayout.companions(kind, id) }

    /// - Parameter index: Counts from 0. File names count from 1.
    public func segmentKey(_ index: Int) -> ObjectKey {
        OutputLayout.segment(kind, id, index, attempt: attempt(ofSegment: index))
    }

    /// Whether a key is that of an init segment of this rendition, whatever attempt made it.
    public func isInitSegment(_ key: ObjectKey) -> Bool { OutputLayout.isInitSegment(key, kind, id) }
}
