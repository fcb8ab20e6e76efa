public import ClairoCore

/// Word that an object has reached a bucket. Only where it is counts: what the object is, the store says.
public struct ObjectNotice: Sendable, Hashable {
    /// S3's own limit: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    public static let longestKey = 1024

    public let bucket: String
    /// As the object is called, with nothing encoded.
    public let key: String
    /// Without quotation marks.
    public let eTag: String?
    /// Tells which of two events about the same key came later.
    public let sequencer: String?

    /// - Throws: `badInput` (65) for a bucket or key that no store and no database could have.
    public init(
        bucket: String, key: String, eTag: String? = nil, sequencer: String? = nil
    ) throws(ClairoError) {
        let isName = bucket.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "-._".utf8.contains(byte)
        }
        guard (1...255).contains(bucket.utf8.count), isName, bucket != ".", bucket != ".." else {
            throw .badMedia("The bucket's name is not one that a bucket can have")
        }
        guard (1...Self.longestKey).contains(key.utf8.count), !key.utf8.contains(0) else {
            throw .badMedia("The key in bucket \(bucket) is empty, longer than \(Self.longestKey) bytes or holds a NUL")
        }
        self.bucket = bucket
        self.key = key
        self.eTag = eTag.map { $0.filter { $0 != "\"" } }
        self.sequencer = sequencer
    }

    /// Whether `other` happened after this: sequencers of one key are compared as text, the shorter one filled up with zeros.
    /// Where one is missing, `other` counts as later.
    /// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    func isBefore(_ other: ObjectNotice) -> Bool {
        guard let sequencer, let later = other.sequencer else { return true }
        let length = max(sequencer.utf8.count, later.utf8.count)
        let filled = { (text: String) in Array(text.utf8) + Array(repeating: 48, count: length - text.utf8.count) }
        return !filled(later).lexicographicallyPrecedes(filled(sequencer))
    }
}

/// The objects that one document tells of, each once, by its latest event.
public struct ObjectNotices: Sendable, Hashable {
    public internal(set) var objects: [ObjectNotice] = []
    /// Records about something else: removals, tests of the notification.
    public internal(set) var ignored = 0
    /// Earlier or repeated records about an object in `objects`.
    public internal(set) var superseded = 0
    /// What is wrong with records that could not be read.
    public internal(set) var unreadable: [String] = []

    private var places: [[UInt8]: Int] = [:]

    init() {}

    mutating func add(_ notice: ObjectNotice) {
        // By bytes: to S3, two spellings of an é are two keys. A bucket's name has no slash.
        let name = Array("\(notice.bucket)/\(notice.key)".utf8)
        guard let place = places[name] else {
            places[name] = objects.count
            objects.append(notice)
            return
        }
        superseded += 1
        if objects[place].isBefore(notice) { objects[place] = notice }
    }
}
