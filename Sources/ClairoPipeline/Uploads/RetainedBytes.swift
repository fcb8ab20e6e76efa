internal import ClairoCore
internal import Foundation
internal import Synchronization

/// Keeps the first and last bytes of an object while it streams to the store. A prober reads little else of most files,
/// and some stores fetch a new object whole before they return any of it.
struct RetainedBytes: Sendable {
    /// 1.5 MiB each: enough for the first frames at 15 Mbit/s, and for the index of half an hour or more.
    private static let headLength = 3 << 19
    private static let tailLength = 3 << 19

    fileprivate struct Piece: Sendable {
        var offset: Int64
        var data: Data
        var end: Int64 { offset + Int64(data.count) }
    }

    private var head: Piece?
    /// The last part, preceded by the one before it if the last is shorter.
    private var tail: [Piece] = []

    init() {}

    /// Creates the retained bytes of an object that was sent in one piece.
    init(_ whole: Data) { keep(whole, at: 0) }

    mutating func keep(_ part: Data, at offset: Int64) {
        if offset == 0 { head = Piece(offset: 0, data: Data(part.prefix(Self.headLength))) }
        let isShort = part.count < tail.last?.data.count ?? 0
        tail = (isShort ? tail.suffix(1) : []) + [Piece(offset: offset, data: part)]
    }

    /// Gives the memory back. The bytes before this are then read from the store.
    mutating func release() { (head, tail) = (nil, []) }

    /// Returns the whole object as a source.
    /// - Parameter store: Provides the bytes that were not kept.
    func source(size: Int64, of key: ObjectKey, in store: any ObjectStore) -> any ByteSource {
        // Copied, because a slice would retain the whole part in memory.
        var end = Data()
        for piece in tail.reversed() {
            var longer = Data(capacity: Self.tailLength)
            longer.append(piece.data.suffix(Self.tailLength - end.count))
            longer.append(end)
            end = longer
        }
        let last = Piece(offset: size - Int64(end.count), data: end)
        return RetainedSource(size: size, pieces: [head, last].compactMap(\.self), key: key, store: store)
    }
}

private final class RetainedSource: ByteSource {
    let size: Int64
    private let pieces: [RetainedBytes.Piece]
    private let key: ObjectKey
    private let store: any ObjectStore
    private let opened = Mutex<(any ByteSource)?>(nil)

    init(size: Int64, pieces: [RetainedBytes.Piece], key: ObjectKey, store: any ObjectStore) {
        self.size = size
        self.pieces = pieces
        self.key = key
        self.store = store
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        if let piece = pieces.first(where: { $0.offset <= offset && offset < $0.end }) {
            return piece.data.dropFirst(Int(offset - piece.offset)).copyBytes(to: buffer)
        }
        let end = pieces.map(\.offset).filter { $0 > offset }.min() ?? size
        guard offset < end else { return 0 }
        let count = Int(min(Int64(buffer.count), end - offset))
        return try stored().read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)))
    }

    private func stored() throws(ClairoError) -> any ByteSource {
        try opened.withLock { opened throws(ClairoError) in
            if let source = opened { return source }
            let source = try store.open(key)
            guard source.size == size else {
                throw .badMedia(
                    "The store has \(source.size) of \(size) bytes", advice: "Send it again.")
            }
            opened = source
            return source
        }
    }
}
