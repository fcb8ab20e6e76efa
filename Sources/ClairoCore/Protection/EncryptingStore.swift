public import Foundation
internal import OpenSSL
internal import Synchronization

/// An output folder whose media is encrypted on the way to the store and decrypted on the way back.
///
/// It is between a task and the store, in the process that has the keys. A task sees its output in clear, with the
/// names and, for `cbcs` and `cenc`, the sizes that it has on the store. Sizes, checksums and records (`info`, `record`)
/// are always those of the stored bytes, so documents describe what players and other tools find.
public struct EncryptingStore: ObjectStore {
    private let base: any ObjectStore
    private let protection: Protection
    private let keys: KeySet
    private let records = RecordCache()

    /// - Parameters:
    ///   - base: The folder as it is stored.
    ///   - keys: Has a key for each id of the protection.
    public init(_ base: any ObjectStore, _ protection: Protection, keys: KeySet) {
        self.base = base
        self.protection = protection
        self.keys = keys
    }

    /// How the media of an object is encrypted; nil for an object that is not.
    private struct Treatment {
        let protection: Protection
        let folder: String
        let key: ContentKey
        /// The number of the segment, from 1; nil for another object.
        let number: Int?
        /// Whether it is an init segment, which has no samples.
        let isInitSegment: Bool

        /// Whether it is one file of all segments.
        var holdsSegments: Bool { number == nil && !isInitSegment }

        /// Whether the object is part of the clear start.
        var isClear: Bool {
            guard let number, let clear = protection.clearSegments else { return false }
            return number > 0 && number <= clear
        }

        /// The initialization vector of a whole segment is its media sequence number (RFC 8216, 5.2), which is the number
        /// in its name.
        private var sequenceIV: [UInt8] {
            [UInt8](repeating: 0, count: 8) + withUnsafeBytes(of: UInt64(number ?? 0).bigEndian) { Array($0) }
        }

        func apply(_ direction: FragmentCipher.Direction, _ data: Data) throws(ClairoError) -> Data {
            guard protection.scheme == .aes128 else {
                return try FragmentCipher.transform(
                    data, protection, folder: folder, key: key, direction: direction, allowsClear: isClear)
            }
            guard number != nil else {
                // Only an init segment is part of the media and not encrypted.
                guard isInitSegment else { throw .defect("A file in \(folder) cannot be encrypted as a segment") }
                return data
            }
            if isClear { return data }
            let cipher = AES128(key: key.bytes)
            guard direction == .decrypt else { return Data(cipher.encryptPadded([UInt8](data), iv: sequenceIV)) }
            guard let clear = cipher.decryptPadded([UInt8](data), iv: sequenceIV) else {
                throw .badMedia(
                    "A segment in \(folder) cannot be decrypted with the key that was given",
                    advice: "Give the key file that the output was made with.")
            }
            return Data(clear)
        }
    }

    private func treatment(of key: ObjectKey) throws(ClairoError) -> Treatment? {
        guard let folder = Protection.protectedFolder(of: key) else { return nil }
        guard let id = protection.keyID(of: folder), let content = keys[id] else {
            throw .configuration(
                "There is no key for \(folder)", advice: "Give a key for all tracks, or one for this one.")
        }
        return Treatment(
            protection: protection, folder: folder, key: content, number: OutputLayout.segmentNumber(of: key),
            isInitSegment: OutputLayout.isInitSegment(key))
    }

    // MARK: ObjectStore

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        records.forget([key])
        try base.put(treatment(of: key)?.apply(.encrypt, data) ?? data, at: key)
    }

    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        try put(at: key, length: nil, writing: body)
    }

    public func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
        records.forget([key])
        guard let treatment = try treatment(of: key) else {
            return try base.put(at: key, length: length, writing: body)
        }
        if protection.scheme == .aes128 {
            var whole = Data()
            try body { (piece: Data) throws(ClairoError) in
                guard whole.count + piece.count <= Self.largestSegment else {
                    throw .defect("\(key) is too large to be encrypted as a whole")
                }
                whole += piece
            }
            return try base.put(treatment.apply(.encrypt, whole), at: key)
        }
        var cipher = FragmentCipher(
            protection, folder: treatment.folder, key: treatment.key, direction: .encrypt,
            allowsClear: treatment.isClear)
        var checksum = Checksum.Running()
        try base.put(at: key, length: length) { write in
            try withoutActuallyEscaping(write) { write in
                try body { (piece: Data) throws(ClairoError) in
                    let done = try cipher.push(piece)
                    guard !done.isEmpty else { return }
                    checksum.update(done)
                    try write(done)
                }
            }
            try cipher.finish()
        }
        records.add(FileRecord(key: key.rawValue, bytes: checksum.bytes, sha256: checksum.finish()))
    }

    /// The largest segment that is encrypted as a whole, in bytes.
    private static let largestSegment = 1 << 30

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        let stored = try base.get(key)
        guard let treatment = try treatment(of: key) else { return stored }
        let clear = try Self.reading(key) { () throws(ClairoError) in try treatment.apply(.decrypt, stored) }
        records.add(FileRecord(key: key.rawValue, bytes: Int64(stored.count), sha256: Checksum.sha256(stored)))
        return clear
    }

    /// What is written is as Clairo writes it, or else there is a bug. What is read may have been damaged since.
    private static func reading<Result>(
        _ key: ObjectKey, _ body: () throws(ClairoError) -> Result
    ) throws(ClairoError) -> Result {
        do throws(ClairoError) {
            return try body()
        } catch {
            guard error.kind == .defect else { throw error }
            throw .badMedia(
                "\(key) is damaged, so it cannot be decrypted",
                advice: "Make the output again with clairo transcode --force.")
        }
    }

    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        guard let treatment = try treatment(of: key) else { return try base.open(key) }
        if treatment.holdsSegments {
            let file = try base.open(key)
            return try Self.reading(key) { () throws(ClairoError) in
                try DecryptedFile(file) { (segment) throws(ClairoError) in
                    try Self.reading(key) { () throws(ClairoError) in try treatment.apply(.decrypt, segment) }
                }
            }
        }
        guard try base.size(of: key) ?? 0 <= Int64(Self.largestSegment) else {
            throw .defect("\(key) is too large to be decrypted as a whole")
        }
        return ClearBytes(data: try get(key))
    }

    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { try base.info(of: key) }

    public func record(of key: ObjectKey) throws(ClairoError) -> FileRecord {
        // A task asks for the record of what it has just read or written.
        if let record = records.take(key) { return record }
        return try base.record(of: key)
    }

    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        try base.list(prefix: prefix, after: key, limit: limit)
    }

    public func entries(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectEntry] {
        try base.entries(prefix: prefix, after: key, limit: limit)
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) {
        records.forget([key])
        try base.delete(key)
    }

    public func delete(_ keys: [ObjectKey]) throws(ClairoError) {
        records.forget(keys)
        try base.delete(keys)
    }
}

/// The records of the objects that were read or written last, so that they need not be read again for them.
private final class RecordCache: Sendable {
    /// More than the threads that a task has.
    private static let most = 32
    private let records = Mutex<[FileRecord]>([])

    func add(_ record: FileRecord) {
        records.withLock { records in
            records.removeAll { $0.key == record.key }
            records.append(record)
            if records.count > Self.most { records.removeFirst() }
        }
    }

    func take(_ key: ObjectKey) -> FileRecord? {
        records.withLock { records in
            records.firstIndex { $0.key == key.rawValue }.map { records.remove(at: $0) }
        }
    }

    func forget(_ keys: [ObjectKey]) {
        records.withLock { records in
            guard !records.isEmpty else { return }
            let names = Set(keys.map(\.rawValue))
            records.removeAll { names.contains($0.key) }
        }
    }
}

/// The clear bytes of an object.
private struct ClearBytes: ByteSource {
    let data: Data

    var size: Int64 { Int64(data.count) }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard offset >= 0, offset < size else { return 0 }
        return data.dropFirst(Int(offset)).prefix(buffer.count).copyBytes(to: buffer)
    }
}
