/// How to read a source whose tracks consist of several streams, one after the other: files that were joined by their
/// bytes, or a broadcast whose streams get other PIDs.
public struct SourceParts: Sendable, Codable, Hashable {
    /// One of the files that were joined.
    public struct File: Sendable, Codable, Hashable {
        /// The byte of the source at which it begins.
        public var offset: Int64
        /// The index of its first stream. The streams of each file are numbered on from those of the files before.
        public var firstStream: Int

        public init(offset: Int64, firstStream: Int) {
            self.offset = offset
            self.firstStream = firstStream
        }
    }

    /// The files, in order. One for a source that is a single file.
    public var files: [File]
    /// Bytes of the source, in ascending order, at which streams of a single file take over from others. Packets that
    /// begin before such a byte are read first, in whatever order the container returns them.
    public var boundaries: [Int64]
    /// The index of a track's first stream, by the index of each stream that continues it.
    public var continuedTracks: [Int: Int]

    public init(files: [File], boundaries: [Int64] = [], continuedTracks: [Int: Int] = [:]) {
        self.files = files
        self.boundaries = boundaries
        self.continuedTracks = continuedTracks
    }

    /// The index of the track that a stream belongs to: that of the track's first stream.
    public func track(ofStream index: Int) -> Int { continuedTracks[index] ?? index }

    /// The indexes of a track's streams, in ascending order.
    public func streams(ofTrack index: Int) -> [Int] {
        [index] + continuedTracks.filter { $0.value == index }.keys.sorted()
    }
}
