internal import ClairoCore
internal import Foundation

// What a task's process and its parent say to each other over a socket pair.
//
// A frame is a kind, the number of the request it belongs to, a head in JSON and a payload of raw bytes. The parent sends
// `start`; the child sends requests, each of which gets one answer, `progress` and `news`; `result` or `failure` ends the talk.
// The child may be in the hands of whoever made the media: the parent bounds every length before it reads, and believes
// nothing but what it has checked.

/// One message.
struct WireMessage: Sendable {
    enum Kind: UInt8, Sendable { case start = 1, request, answer, progress, result, failure, news }

    var kind: Kind
    /// Of the request; 0 for the others.
    var id: UInt32 = 0
    var head = Data()
    var payload = Data()

    init(_ kind: Kind, id: UInt32 = 0, head: some Encodable, payload: Data = Data()) throws(ClairoError) {
        self.kind = kind
        self.id = id
        self.payload = payload
        do {
            self.head = try JSON.encode(head, pretty: false)
        } catch {
            throw .defect("A message between processes cannot be written: \(error)")
        }
    }

    init(kind: Kind, id: UInt32, head: Data, payload: Data) {
        self.kind = kind
        self.id = id
        self.head = head
        self.payload = payload
    }

    func decodeHead<T: Decodable>(as type: T.Type = T.self) throws(BrokenProtocol) -> T {
        do {
            return try JSONDecoder().decode(type, from: head)
        } catch {
            throw BrokenProtocol(reason: "a message of kind \(kind) that cannot be read")
        }
    }
}

/// The other side said something that has no place in the talk.
struct BrokenProtocol: Error {
    var reason: String
}

/// Bytes of a head and a payload that are let in.
struct WireLimits: Sendable {
    var head: Int
    var payload: Int

    /// A payload that is sent in one piece; longer objects come as several.
    static let piece = 8 << 20
    /// An object that is read whole.
    static let whole = 1 << 30

    /// What a parent takes from its child.
    static func fromChild(_ kind: WireMessage.Kind) -> WireLimits? {
        switch kind {
        case .request: WireLimits(head: 8 << 10, payload: piece)
        case .progress: WireLimits(head: 1 << 10, payload: 0)
        case .news: WireLimits(head: 8 << 10, payload: 0)
        // A plan of two days has boundaries for each segment of each track, and its verification several checks.
        case .result: WireLimits(head: 64 << 20, payload: 0)
        case .failure: WireLimits(head: 64 << 10, payload: 0)
        case .start, .answer: nil
        }
    }

    /// What a child takes from its parent.
    static func fromParent(_ kind: WireMessage.Kind) -> WireLimits? {
        switch kind {
        case .start, .answer: WireLimits(head: 1 << 30, payload: whole)
        case .request, .progress, .result, .failure, .news: nil
        }
    }
}

/// Head of `start`: all that a task is told.
struct StartHead: Codable {
    var spec: TaskSpec
    /// Nil where the task reads no source.
    var sourceSize: Int64?
    var sourceETag: String?
}

/// Head of `request`.
struct RequestHead: Codable {
    enum Operation: String, Codable {
        /// Bytes of the source: `offset`, `count`.
        case source
        /// An object whole: `key`, payload.
        case put
        /// An object in pieces: `key` gives a `handle`; `handle`, payload; `handle`; `handle`.
        case beginPut, writePut, endPut, abortPut
        /// `key`; the bytes are the answer's payload.
        case get
        /// `key` gives a `handle` and `size`; `handle`, `offset`, `count`; `handle`.
        case open, read, close
        /// `key`.
        case info, delete
        /// `prefix`, `key` to begin behind, `count` at most.
        case list
    }

    var operation: Operation
    var key: ObjectKey?
    var prefix: String?
    var offset: Int64?
    var count: Int?
    var handle: Int?
}

/// Head of `answer`.
struct AnswerHead: Codable {
    var failure: FailureHead?
    var handle: Int?
    var size: Int64?
    var etag: String?
    var modified: Timestamp?
    var keys: [ObjectKey]?
}

/// Head of `progress`.
struct ProgressHead: Codable {
    var frames: Int
}

/// Head of `failure`, and what went wrong with a request: a `ClairoError`.
struct FailureHead: Codable {
    var kind: ClairoError.Kind
    var exitCode: ClairoError.ExitCode
    var message: String
    var advice: String?

    init(_ error: ClairoError) {
        kind = error.kind
        exitCode = error.exitCode
        message = String(error.message.prefix(4000))
        advice = error.advice.map { String($0.prefix(4000)) }
    }

    var error: ClairoError { ClairoError(kind: kind, exitCode: exitCode, message, advice: advice) }
}
